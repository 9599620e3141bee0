//go:build linux

package spread

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// talkers is a load whose clients keep their connections. It knows who has answered each last.
type talkers struct {
	*e2etest.Load
	pause atomic.Int64 // ns, before a request
	last  []atomic.Pointer[string]
}

func startTalkers(addr string, n int) *talkers {
	a := &talkers{Load: e2etest.NewLoad(), last: make([]atomic.Pointer[string], n)}
	for i := range a.last {
		one := e2etest.Kept(addr, e2etest.Get("/"))
		a.Add(1, func() (string, error) {
			time.Sleep(time.Duration(a.pause.Load()))
			body, err := one()
			if err == nil {
				a.last[i].Store(&body)
			}
			return body, err
		})
	}
	return a
}

// by returns how many connections each worker has; those that were not answered yet don't count.
func (a *talkers) by() map[string]int {
	by := map[string]int{}
	for i := range a.last {
		if last := a.last[i].Load(); last != nil {
			by[workerOf(*last)]++
		}
	}
	return by
}

// wait waits until the connections are with workers that are right.
func (a *talkers) wait(t *testing.T, what string, right func(by map[string]int) bool) {
	t.Helper()
	began := time.Now()
	e2etest.WaitFor(t, what, func() bool {
		time.Sleep(10 * time.Millisecond)
		return right(a.by())
	}, func() string { return fmt.Sprint(a.by(), a.Load) })
	t.Logf("%s after %v: %v", what, time.Since(began).Round(10*time.Millisecond), a.by())
}

// isAmong reports whether a worker is among others.
func isAmong(workers, others map[string]int) bool {
	for id := range workers {
		if others[id] > 0 {
			return true
		}
	}
	return false
}

// While few connections bring many requests, as many workers as there are processors have them, also after a reload. Then all have
// some again. No client notices.
func TestBusyConnectionsAreGathered(t *testing.T) {
	p, workers, processors := startMany(t)
	a := startTalkers(p.Addr(), 2*workers)
	for range e2etest.Times(2, 1) {
		a.pause.Store(0)
		var old map[string]int
		few := func(by map[string]int) bool { return len(by) <= processors && !isAmong(by, old) }
		a.wait(t, "few workers to have the connections", few)
		old = a.by()
		p.Reload()
		a.wait(t, "few workers of the next generation to have them", few)
		a.pause.Store(int64(100 * time.Millisecond))
		a.wait(t, "more workers to have them", func(by map[string]int) bool { return len(by) > workers/2 })
	}
	a.MustBeWhole(t)
}
