package hooks

import (
	"sync"
	"time"
)

// Last are the functions of OnLeave. The zero value has none.
type Last struct {
	mu     sync.Mutex
	funcs  []func()
	called bool
}

// Add adds a function. After CallAll it does nothing.
func (l *Last) Add(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.called {
		l.funcs = append(l.funcs, f)
	}
}

// take returns the functions, and has Add add no more.
func (l *Last) take() []func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called = true
	return l.funcs
}

// CallAll calls the functions, one after the other, and waits for them so long at most. report gets
// what goes wrong.
func (l *Last) CallAll(within time.Duration, report func(format string, args ...any)) {
	funcs := l.take()
	if len(funcs) == 0 {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, f := range funcs {
			var one sync.WaitGroup // f may end its goroutine
			one.Go(func() { callLast(f, report) })
			one.Wait()
		}
	}()
	select {
	case <-done:
	case <-time.After(within):
		report("WARN a function of OnLeave has not returned in %v", within)
	}
}

func callLast(f func(), report func(format string, args ...any)) {
	defer func() {
		if p := recover(); p != nil {
			report("a function of OnLeave failed: panic: %v", p)
		}
	}()
	f()
}
