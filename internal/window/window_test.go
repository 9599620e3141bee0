package window

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(100)
		g.Acquire(90)
		g.Acquire(1000) // what finds it open enters whole
		entered := false
		go func() { g.Acquire(1); entered = true }()
		step := func(what string, do func(), want bool) {
			t.Helper()
			do()
			if synctest.Wait(); entered != want {
				t.Errorf("%s: entered %v, want %v", what, entered, want)
			}
		}
		step("full", func() {}, false)
		step("less than the limit", func() { g.Release(1000) }, false)
		step("less than half", func() { g.Release(50) }, true)
	})
}

func TestWiden(t *testing.T) {
	for _, limit := range []int{-1, 10_000} {
		synctest.Test(t, func(t *testing.T) {
			g := New(100)
			g.Acquire(1000)
			entered := false
			go func() { g.Acquire(1); entered = true }()
			g.Widen(50) // never to less
			synctest.Wait()
			if entered {
				t.Error("acquired while the window was closed")
			}
			g.Widen(limit)
			if synctest.Wait(); !entered {
				t.Errorf("not entered after Widen(%d)", limit)
			}
		})
	}
}

// link is something that one goroutine at a time reads.
type link struct {
	t       *testing.T
	work    chan func()
	readers int // goroutines that have read
}

func (l *link) read() {
	l.readers++
	h := NewHandoff(l.read)
	for f := range l.work {
		if !h.Do(f) {
			return
		}
	}
}

func inBubble(t *testing.T, f func(l *link)) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{t: t, work: make(chan func())}
		go l.read()
		f(l)
		close(l.work)
		time.Sleep(time.Hour)
	})
}

func (l *link) want(readers int) {
	l.t.Helper()
	if synctest.Wait(); l.readers != readers {
		l.t.Errorf("%d goroutines have read, want %d", l.readers, readers)
	}
}

// One goroutine does it all, as long as nothing takes its time.
func TestQuickFunctions(t *testing.T) {
	inBubble(t, func(l *link) {
		for range 100 {
			l.work <- func() { time.Sleep(Patience / 2) }
		}
		l.want(1)
		time.Sleep(time.Minute) // the look-out has gone to sleep
		l.work <- func() {}
		l.want(1)
	})
}

// Another reads on while a function takes its time, and the first doesn't come back.
func TestSlowFunctions(t *testing.T) {
	inBubble(t, func(l *link) {
		for i := range 3 {
			l.work <- func() { time.Sleep(time.Second) }
			l.work <- func() {} // is read though the one before runs
			l.want(2 + i)
			time.Sleep(time.Minute)
		}
		l.want(4)
	})
}

func TestFunctionThatEndsItsGoroutine(t *testing.T) {
	inBubble(t, func(l *link) {
		l.work <- runtime.Goexit
		l.want(2)
		l.work <- func() { time.Sleep(time.Second); runtime.Goexit() }
		l.work <- func() {}
		l.want(3)
	})
}

func TestTakenOverInTime(t *testing.T) {
	inBubble(t, func(l *link) {
		began := time.Now()
		l.work <- func() { time.Sleep(time.Second) }
		l.work <- func() {}
		if d := time.Since(began); d > 3*Patience {
			t.Errorf("it took %v until another goroutine read on", d)
		}
	})
}
