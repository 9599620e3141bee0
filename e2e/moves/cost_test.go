//go:build linux

package moves

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// BenchmarkMove reloads a worker with idle connections, and prints what that costs with none and
// with many: processor time of the worker that leaves, of the one that takes them (from its start),
// and of the master; and how long the old process lives on. Then it reloads again, without a request
// meanwhile. Beside it is what a plain server pays to accept and end as many connections, see
// measureFloor. Run it alone on the machine:
//
//	go test ./e2e/moves -run '^$' -bench Move -benchtime 1x
func BenchmarkMove(b *testing.B) {
	p := e2etest.Start(b, "serve", server.Quick(1))
	for _, n := range []int{0, 1000, 10000} {
		crowd := newCrowd(b, p.Addr(), n)
		for range b.N {
			crowd.ask(b)
			each := measureMove(b, p, n, "used")
			measureMove(b, p, n, "at rest")
			crowd.wantAnswersOf(b, len(p.ReadyPIDs()))
			b.ReportMetric(each, "us/conn")
		}
		crowd.close()
		if n > 0 {
			measureFloor(b, n)
		}
	}
}

// measureMove returns the microseconds that a reload costs for each of n connections.
func measureMove(b *testing.B, p *e2etest.Process, n int, what string) (each float64) {
	b.Helper()
	ready := len(p.ReadyPIDs())
	old := p.ReadyPIDs()[ready-1]
	oldBefore, masterBefore, endedBefore := e2etest.CPUTime(old), e2etest.CPUTime(p.PID()), e2etest.ChildrenTime(p.PID())
	p.Signal(syscall.SIGHUP)
	e2etest.WaitFor(b, "the new worker", func() bool { return len(p.ReadyPIDs()) > ready })
	disconnected := time.Now() // or a little later, as there is no trial
	e2etest.WaitFor(b, "the end of the old worker", func() bool { return !e2etest.Alive(old) })
	gone := time.Since(disconnected)
	pid := p.ReadyPIDs()[ready]
	p.WaitLog(e2etest.WorkerLeft, ready)
	oldTime, newTime := e2etest.ChildrenTime(p.PID())-endedBefore-oldBefore, e2etest.CPUTime(pid)
	masterTime := e2etest.CPUTime(p.PID()) - masterBefore
	if n == 0 {
		b.Logf("without connections: old %v, new %v, master %v", oldTime, newTime, masterTime)
		return 0
	}
	each = us(oldTime+newTime+masterTime, n)
	b.Logf("%.1f us a connection of %d, %s (old %.1f, new %.1f, master %.1f), gone after %v", each, n, what,
		us(oldTime, n), us(newTime, n), us(masterTime, n), gone.Round(time.Millisecond))
	return each
}

// wantAnswersOf checks that a generation answers on every connection.
func (c *crowd) wantAnswersOf(t testing.TB, generation int) {
	t.Helper()
	for body := range c.ask(t) {
		if !strings.HasPrefix(body, fmt.Sprintf("generation %d ", generation)) {
			t.Errorf("the answers come from %s, want generation %d", body, generation)
		}
	}
}
