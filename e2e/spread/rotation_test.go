//go:build linux

package spread

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// answers are who has answered many requests, on a connection each, and when.
type answers struct {
	stop  atomic.Bool
	group sync.WaitGroup

	mu     sync.Mutex
	all    []oneAnswer
	failed error
}

type oneAnswer struct {
	at     time.Time
	worker string
}

func askMany(addr string) *answers {
	a := &answers{}
	for range atOnce {
		a.group.Go(func() {
			for !a.stop.Load() {
				body, err := e2etest.Request("tcp", addr, "/")
				a.mu.Lock()
				if err == nil {
					a.all = append(a.all, oneAnswer{time.Now(), workerOf(body)})
				} else {
					a.failed = err
				}
				a.mu.Unlock()
			}
		})
	}
	return a
}

// between returns how many workers have answered at a time, in the median of the parts of a time of so many turns each, and how many
// each has answered in all.
func (a *answers) between(from, to time.Time, part time.Duration) (atATime float64, by map[string]int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	parts := map[int64]map[string]bool{}
	by = map[string]int{}
	for _, one := range a.all {
		if one.at.Before(from) || one.at.After(to) {
			continue
		}
		n := int64(one.at.Sub(from) / part)
		if parts[n] == nil {
			parts[n] = map[string]bool{}
		}
		parts[n][one.worker] = true
		by[one.worker]++
	}
	var sizes []float64
	for _, workers := range parts {
		sizes = append(sizes, float64(len(workers)))
	}
	return e2etest.Median(sizes), by
}

// turns waits until few workers have answered at a time for a second, and returns how many each has then.
func (a *answers) turns(t *testing.T, n int) (by map[string]int) {
	t.Helper()
	few := 0.0
	e2etest.WaitFor(t, "few workers to answer at a time", func() bool {
		time.Sleep(time.Second)
		few, by = a.between(time.Now().Add(-time.Second), time.Now(), 5*time.Millisecond)
		return few <= float64(n)
	}, func() string { return fmt.Sprint("of ", len(by), " workers ", few, " answer at a time") })
	return by
}

// startMany starts a server of more workers than there are processors, by far.
func startMany(t *testing.T) (p *e2etest.Process, workers, processors int) {
	t.Helper()
	workers, processors = 8, runtime.NumCPU()
	if processors > workers/2 {
		t.Skipf("%d processors for %d workers", processors, workers)
	}
	return startShared(t, workers), workers, processors
}

// While many connections come, as many workers as there are processors answer at a time, and all have their turns. When the
// master stands still, all workers accept again. Nobody is refused or cut.
func TestManyConnections(t *testing.T) {
	p, workers, processors := startMany(t)
	a := askMany(p.Addr())
	by := a.turns(t, processors)
	t.Logf("in their turns: %v", by)
	if len(by) != workers {
		t.Errorf("%d workers have had a turn within a second", len(by))
	}
	e2etest.StandStill(t, p.PID())
	began := time.Now()
	e2etest.WaitFor(t, "all workers to answer", func() bool {
		time.Sleep(100 * time.Millisecond)
		_, by = a.between(time.Now().Add(-100*time.Millisecond), time.Now(), time.Millisecond)
		return len(by) == workers
	})
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("all workers accept %v after the master has stopped", d)
	}
	e2etest.NoError(t, syscall.Kill(p.PID(), syscall.SIGCONT))
	a.turns(t, processors)
	a.stop.Store(true)
	a.group.Wait()
	e2etest.NoError(t, a.failed)
	t.Logf("%d requests", len(a.all))
}
