package newest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// owner is a number that changes.
type owner struct {
	Source[int]
	n    atomic.Int64
	gets atomic.Int64
	done chan struct{}
}

func newOwner() *owner {
	o := &owner{done: make(chan struct{})}
	o.Get = func() (int, bool) {
		o.gets.Add(1)
		select {
		case <-o.done:
			return 0, false
		default:
			return int(o.n.Load()), true
		}
	}
	o.Equal = func(a, b int) bool { return a == b }
	o.Done = o.done
	return o
}

func (o *owner) set(n int) {
	o.n.Store(int64(n))
	o.Changed()
}

// A reader gets the value of now, each change it has time for, and always the newest.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		ctx, cancel := context.WithCancel(t.Context())
		c := o.Watch(ctx)
		if got := <-c; got != 0 {
			t.Errorf("first %d", got)
		}
		o.set(1)
		if got := <-c; got != 1 {
			t.Errorf("then %d", got)
		}
		for n := range 1000 {
			o.set(n)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := <-c; got != 999 {
			t.Errorf("a slow reader gets %d, want the newest", got)
		}
		if n := o.gets.Load(); n > 60 {
			t.Errorf("the owner was asked %d times in a second", n)
		}
		o.Changed() // and nothing has
		time.Sleep(time.Second)
		select {
		case got := <-c:
			t.Errorf("%d again, unchanged", got)
		default:
		}
		cancel()
		if _, ok := <-c; ok {
			t.Error("not closed at the end of the context")
		}
	})
}

// The channel is closed when the owner has ended.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		c := o.Watch(t.Context())
		<-c
		close(o.done)
		if _, ok := <-c; ok {
			t.Error("not closed")
		}
		if _, ok := <-o.Watch(t.Context()); ok {
			t.Error("a value of an owner that has ended")
		}
	})
}

// A reader never gets a value from before its call.
func TestNow(t *testing.T) {
	o := newOwner()
	for n := range 5 {
		o.n.Store(int64(n))
		if got, _ := o.Now(); got != n {
			t.Errorf("%d, want %d", got, n)
		}
	}
}

// Many readers cost the owner as much as one.
func TestReadersShare(t *testing.T) {
	o := newOwner()
	begin := time.Now()
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { o.Now() })
	}
	all.Wait()
	if most := int64(time.Since(begin)/Pause) + 2; o.gets.Load() > most {
		t.Errorf("the owner was asked %d times, want at most %d", o.gets.Load(), most)
	}
}

// The more readers there are, the more seldom the owner is asked, until that is five times a second. Those that have left
// don't count.
func TestManyReadersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		asked := func(readers int) int64 {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range readers {
				o.Watch(ctx)
			}
			before := o.gets.Load()
			for n := range 1000 {
				o.set(n)
				time.Sleep(time.Millisecond)
			}
			return o.gets.Load() - before
		}
		for readers, want := range map[int]int64{1: 50, Few: 50, 5 * Few: 10, 10 * Few: 5, 100 * Few: 5} {
			least := want - want/10 - 1 // a pause may end just before the next change
			if n := asked(readers); n < least || n > want+2 {
				t.Errorf("%d readers: the owner was asked %d times in a second, want %d", readers, n, want)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
	})
}
