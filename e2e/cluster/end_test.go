//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
)

// exits counts the exits of each worker.
type exits struct {
	mu sync.Mutex
	by map[int][]master.Exit
}

func countExits(m *master.Master) *exits {
	e := &exits{by: map[int][]master.Exit{}}
	m.Subscribe(master.Events{Exit: func(w *master.Worker, x master.Exit) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.by[w.ID()] = append(e.by[w.ID()], x)
	}})
	return e
}

func (e *exits) of(w *master.Worker) []master.Exit {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.by[w.ID()]
}

// mustBeOne fails the test unless each of n workers has ended once.
func (e *exits) mustBeOne(t *testing.T, n int) {
	t.Helper()
	e2etest.WaitFor(t, fmt.Sprintf("%d exits", n), func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.by) == n })
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, all := range e.by {
		if len(all) != 1 {
			t.Errorf("worker %d has ended %d times: %v", id, len(all), all)
		}
	}
}

// An exit has a status or a signal, and Voluntary reports whether the program asked for it.
func TestExitSaysHowAWorkerEnded(t *testing.T) {
	c := newCluster(t, "echo")
	all := countExits(c.Master)
	for _, tc := range []struct {
		name      string
		end       func(*master.Worker)
		want      master.Exit
		voluntary bool
	}{
		{"disconnected", func(w *master.Worker) { _ = w.Disconnect() }, master.Exit{}, true},
		{"killed", func(w *master.Worker) { _ = w.Kill(nil) }, master.Exit{Signal: syscall.SIGTERM}, true},
		{"killed with KILL", func(w *master.Worker) { _ = w.Kill(os.Kill) }, master.Exit{Signal: syscall.SIGKILL}, true},
		{"shot by a stranger", func(w *master.Worker) { _ = w.Process().Kill() }, master.Exit{Signal: syscall.SIGKILL}, false},
		{"exits by itself", func(w *master.Worker) { sendTo(t, w, "exit 3") }, master.Exit{Code: 3, Undelivered: 1}, false}, // it ends while it takes the message
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := c.fork(nil)
			e2etest.WaitFor(t, "the worker to be online", func() bool { return w.State() == master.Online })
			tc.end(w)
			gone(t, w)
			e2etest.WaitFor(t, "its exit event", func() bool { return len(all.of(w)) > 0 })
			if got := all.of(w); len(got) != 1 || got[0] != tc.want {
				t.Errorf("exits %v, want %v", got, tc.want)
			}
			if yes, known := w.Voluntary(); yes != tc.voluntary || !known {
				t.Errorf("Voluntary %v, %v: want %v", yes, known, tc.voluntary)
			}
		})
	}
}

// Orders from many goroutines at the same time end each of eight workers once.
func TestConcurrentOrdersEndEachWorkerOnce(t *testing.T) {
	c := newCluster(t, "echo")
	all := countExits(c.Master)
	var group sync.WaitGroup
	do := func(f func()) {
		group.Add(1)
		go func() { defer group.Done(); f() }()
	}
	for range 8 {
		w := c.fork(nil)
		for range 2 {
			do(func() { _ = w.Disconnect() })
			do(func() { _ = w.Kill(nil) })
			do(func() { _ = w.Send("hello") })
			do(func() { c.disconnect() })
		}
	}
	group.Wait()
	all.mustBeOne(t, 8)
	if n := len(c.Workers()); n != 0 {
		t.Errorf("%d workers are left", n)
	}
}

// Disconnect returns when the last worker has ended.
func TestDisconnectReturnsAfterTheLastWorker(t *testing.T) {
	c := newCluster(t, "drain")
	quick := c.fork(map[string]string{e2etest.FlagsEnv: "0s"})
	slow := c.fork(map[string]string{e2etest.FlagsEnv: "1s"})
	for _, w := range []*master.Worker{quick, slow} {
		e2etest.Await(t, "the worker to be ready", inbox(w))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := c.Disconnect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's error", err)
	}
	if slow.IsDead() || slow.State() != master.Draining {
		t.Errorf("the slow one is %v", slow.State())
	}
	c.disconnect()
	if !quick.IsDead() || !slow.IsDead() {
		t.Errorf("quick is %v, slow is %v", quick.State(), slow.State())
	}
	c.disconnect() // of none
}

// A hundred workers are forked, get and send a message, and end, in under ten seconds.
func TestHundredWorkers(t *testing.T) {
	const n = 100
	c := newCluster(t, "echo")
	all := countExits(c.Master)
	echoes := make(chan int, n)
	c.Subscribe(master.Events{Message: func(w *master.Worker, m ipc.Message) { echoes <- w.ID() }})
	began := time.Now()
	for range n {
		sendTo(t, c.fork(nil), "hi there")
	}
	seen := map[int]bool{}
	for len(seen) < n {
		seen[e2etest.Await(t, "an echo", echoes)] = true
	}
	if got := len(c.Workers()); got != n {
		t.Errorf("%d workers live, want %d", got, n)
	}
	c.disconnect()
	took := time.Since(began)
	t.Logf("%d workers forked, messaged and disconnected in %v", n, took)
	if took > 10*time.Second && !e2etest.RaceDetector { // which makes ten of one second
		t.Errorf("want at most 10s")
	}
	all.mustBeOne(t, n)
}

// Workers that are forked one after the other leave no descriptor, no goroutine and no
// memory in the master.
func TestForksLeakNothing(t *testing.T) {
	e2etest.SkipShort(t)
	c := newCluster(t, "echo")
	c.Subscribe(master.Events{Message: func(w *master.Worker, m ipc.Message) { _ = w.Disconnect() }})
	forks := func(n int) {
		for range n {
			w := c.fork(nil)
			sendTo(t, w, "hi there")
			gone(t, w)
		}
	}
	forks(10) // what stays open is open
	before := usage()
	n := e2etest.Times(1000, 300)
	if e2etest.RaceDetector {
		n = 50 // a worker takes a second to end
	}
	forks(n)
	e2etest.WaitFor(t, "goroutines and descriptors as before", func() bool { return usage().fits(before) })
	t.Logf("before: %v, after %d forks: %v", before, n, usage())
}

type used struct{ descriptors, goroutines, kilobytes int }

func usage() used {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return used{e2etest.Descriptors(os.Getpid()), runtime.NumGoroutine(), int(m.HeapAlloc >> 10)}
}

func (u used) fits(before used) bool {
	return u.descriptors <= before.descriptors && u.goroutines <= before.goroutines && u.kilobytes <= before.kilobytes+512
}

func (u used) String() string {
	return fmt.Sprintf("%d descriptors, %d goroutines, %d KB", u.descriptors, u.goroutines, u.kilobytes)
}
