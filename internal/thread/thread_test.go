package thread

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The main goroutine has the first thread, for TestMain.
func init() { runtime.LockOSThread() }

// TestMain runs a pool on the first thread, before it runs the tests: another thread must be
// prepared.
func TestMain(m *testing.M) {
	first, prepared := isFirst(), true
	p := &Pool{Max: 1, Prepare: func() error { prepared = isFirst(); return nil }}
	j := &job{func() error { return nil }, make(chan error, 1)}
	p.wake.L, p.queue, p.threads = &p.mu, []*job{j}, 1
	p.run()
	if err := <-j.result; err != nil || first && prepared {
		fmt.Fprintln(os.Stderr, "on the first thread:", err, "prepared:", prepared)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// f runs only after Prepare, and the error is that of the one that failed. After a failure
// the next call prepares another thread.
func TestPool(t *testing.T) {
	failure, other := errors.New("prepare"), errors.New("f")
	prepare, prepared := error(failure), 0
	p := &Pool{Max: 1, Prepare: func() error { prepared++; return prepare }}
	called := 0
	f := func() error { called++; return other }
	if err := p.Do(f); err != failure || called != 0 {
		t.Fatalf("%v, f called %d times; want the error of Prepare, and none", err, called)
	}
	prepare = nil
	for range 3 {
		if err := p.Do(f); err != other {
			t.Fatal(err)
		}
	}
	if called != 3 || prepared != 2 {
		t.Errorf("f called %d times, Prepare %d; want 3, and 2", called, prepared)
	}
}

// There are no more threads than Max, and each call has one to itself.
func TestPoolIsBounded(t *testing.T) {
	var prepared, running, most atomic.Int64
	p := &Pool{Max: 3, Prepare: func() error { prepared.Add(1); return nil }}
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			_ = p.Do(func() error {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Millisecond)
				running.Add(-1)
				return nil
			})
		})
	}
	calls.Wait()
	if prepared.Load() != 3 || most.Load() != 3 {
		t.Errorf("%d threads, %d calls at a time, want 3 and 3", prepared.Load(), most.Load())
	}
}

// Many calls whose Prepare fails are all answered.
func TestPoolFails(t *testing.T) {
	p := &Pool{Max: 2, Prepare: func() error { return os.ErrPermission }}
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if err := p.Do(func() error { return nil }); err != os.ErrPermission {
				t.Error(err)
			}
		})
	}
	calls.Wait()
}

// The runtime keeps the threads of Reserve.
func TestReserve(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it counts the threads in /proc")
	}
	const n = 40
	Reserve(n)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) < n {
		t.Errorf("%d threads, want %d: %v", len(tasks), n, err)
	}
}
