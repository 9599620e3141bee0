//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// TestWorkerKilledUnderLoad proves that a crash costs only the requests that the worker
// had accepted. No connection is refused, with a single worker either.
func TestWorkerKilledUnderLoad(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(e2etest.Plural(workers), func(t *testing.T) {
			p := e2etest.Start(t, "serve", server.Quick(workers))
			l := e2etest.StartLoad(p.Addr(), "/", 8)
			const kills = 5
			for i := range kills {
				victim := p.Children()[0]
				if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				p.WaitLog(e2etest.WorkerDied, i+1)
				p.WaitLog(e2etest.WorkerReady, workers+i+1)
			}
			r := l.End()
			t.Log(r)
			if r.Refused > 0 {
				t.Errorf("%d connections were refused", r.Refused)
			}
			if most := kills * 8; r.Failed > most {
				t.Errorf("%d requests failed: the workers that were killed had at most %d", r.Failed, most)
			}
		})
	}
}

// When the master dies its workers end: idle ones at once, busy ones when they have
// answered the requests that they have.
func TestMasterKilled(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(2))
	gate := server.NewGate(t)
	busy := p.InFlight(gate.Path)
	workers := p.Children()
	if len(workers) != 2 {
		t.Fatalf("living workers: %v", workers)
	}
	p.Signal(syscall.SIGKILL)
	e2etest.WaitFor(t, "the idle worker to be gone", func() bool { return !e2etest.Alive(workers[0]) || !e2etest.Alive(workers[1]) })
	if len(busy) > 0 || !e2etest.Alive(workers[0]) && !e2etest.Alive(workers[1]) {
		t.Error("the busy worker has ended before its request")
	}
	gate.Open()
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	e2etest.WaitFor(t, "the busy worker to be gone", func() bool { return !e2etest.Alive(workers[0]) && !e2etest.Alive(workers[1]) })
}

// A worker ends with its master also when its main doesn't return.
func TestMasterKilledWhileMainHangs(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "hang-after", server.Quick(1))
	workers := p.Children()
	p.Signal(syscall.SIGKILL)
	<-p.Ended
	e2etest.WaitFor(t, "the worker to be gone", func() bool { return !e2etest.Alive(workers[0]) })
}

// A worker that has drained, and whose main doesn't return, ends with its master.
func TestMasterKilledAfterDrain(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "hang-after", master.Config{Workers: 1, MinUptime: -1, KillAfter: time.Minute})
	old := p.Children()
	p.Reload()
	p.WaitOutput("main hangs", 1)
	p.Signal(syscall.SIGKILL)
	<-p.Ended
	e2etest.WaitFor(t, "the old worker to be gone", func() bool { return !e2etest.Alive(old[0]) })
}
