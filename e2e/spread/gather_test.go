//go:build linux

package spread

import (
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// talkers make requests, each on one connection, and know who has answered last.
type talkers struct {
	pause  atomic.Int64 // ns, before a request
	all    []*talker
	failed atomic.Pointer[error]
}

type talker struct {
	conn *e2etest.Conn
	last atomic.Pointer[string]
}

func startTalkers(t *testing.T, addr string, n int) *talkers {
	all := &talkers{}
	ended, stop := make(chan bool, n), make(chan bool)
	for range n {
		c, err := net.Dial("tcp", addr)
		e2etest.NoError(t, err)
		one := &talker{conn: e2etest.NewConn(c)}
		all.all = append(all.all, one)
		go func() {
			defer func() { _ = c.Close(); ended <- true }()
			for all.ask(one) {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	t.Cleanup(func() {
		close(stop)
		for range n {
			<-ended
		}
	})
	return all
}

// ask makes a request, and reports whether it has got a whole answer that doesn't end the connection.
func (a *talkers) ask(one *talker) bool {
	time.Sleep(time.Duration(a.pause.Load()))
	body, closes, err := one.conn.RoundTrip(e2etest.Get("/"))
	if err == nil && closes {
		err = fmt.Errorf("the connection is closed after %q", body)
	}
	if err != nil {
		a.failed.Store(&err)
		return false
	}
	one.last.Store(&body)
	return true
}

// by returns how many connections each worker has.
func (a *talkers) by() map[string]int {
	by := map[string]int{}
	for _, one := range a.all {
		if last := one.last.Load(); last != nil {
			by[workerOf(*last)]++
		}
	}
	return by
}

// wait waits until the connections are with so many workers, and fails if one was lost.
func (a *talkers) wait(t *testing.T, what string, ok func(by map[string]int) bool) {
	t.Helper()
	began := time.Now()
	e2etest.WaitFor(t, what, func() bool {
		if err := a.failed.Load(); err != nil {
			t.Fatal(*err)
		}
		time.Sleep(10 * time.Millisecond)
		return ok(a.by())
	}, func() string { return fmt.Sprint(a.by()) })
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
	const workers = 8
	processors := runtime.NumCPU()
	if processors > workers/2 {
		t.Skipf("%d processors for %d workers", processors, workers)
	}
	p := startShared(t, workers)
	a := startTalkers(t, p.Addr(), 2*workers)
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
}
