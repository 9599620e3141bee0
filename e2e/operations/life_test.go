//go:build linux

package operations

import (
	"slices"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// With ROTA_LOG=debug the master logs each step of each worker, in its order.
func TestLifeInTheLog(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(1), "ROTA_LOG=debug")
	p.Reload()
	p.WaitLog(e2etest.WorkerLeft, 1)
	want := []e2etest.Line{
		e2etest.WorkerStarted, e2etest.WorkerGreets, e2etest.WorkerAsks, e2etest.WorkerHas, e2etest.WorkerAccepts, e2etest.WorkerReady,
		e2etest.WorkerToLeave, e2etest.WorkerDrains, e2etest.WorkerUnlinked, e2etest.WorkerExited, e2etest.WorkerLeft,
	}
	got := steps(p, 1, want)
	slices.Sort(got[7:10]) // a process that has nothing to do ends at about the same time as it begins to drain
	slices.Sort(want[7:10])
	if !slices.Equal(got, want) {
		t.Errorf("the steps of worker 1 are %q, want %q", got, want)
	}
	if got := steps(p, 2, want); !slices.Equal(got, want[:6]) {
		t.Errorf("the steps of worker 2 are %q, want %q", got, want[:6])
	}
}

// Without it there is none of them.
func TestNoLifeInTheLog(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(1))
	for _, line := range []e2etest.Line{e2etest.WorkerStarted, e2etest.WorkerGreets, e2etest.WorkerAccepts} {
		if p.Logged(line) > 0 {
			t.Errorf("%q is logged", line)
		}
	}
}

// steps returns those of lines that the master has logged of a worker, in order.
func steps(p *e2etest.Process, worker int, lines []e2etest.Line) (all []e2etest.Line) {
	for logged := range strings.Lines(p.Log.String()) {
		for _, line := range lines {
			if strings.Contains(logged, string(line.OfWorker(worker))) {
				all = append(all, line)
			}
		}
	}
	return all
}
