// Package newest passes a value that changes often to readers that may be slow: each gets the
// newest one, and the goroutine that owns the value waits for nobody.
package newest

import (
	"context"
	"sync"
	"time"
)

// Pause is the shortest time between two questions to the owner, of up to Few readers. More wait longer, in
// proportion to their number, and MaxPause at most: each of them costs the owner's process something.
const (
	Pause    = 20 * time.Millisecond
	Few      = 10
	MaxPause = 200 * time.Millisecond
)

// Source is the source of a value of type T. The fields are set before the first call of a
// method. Changed is called by the owner, the other methods by any goroutine.
type Source[T any] struct {
	Get   func() (T, bool)  // asks the owner for the value; false if there is none any more
	Equal func(a, b T) bool // whether a reader that has one needn't get the other
	Done  <-chan struct{}   // closed when the owner has ended

	mu      sync.Mutex
	waiting chan struct{} // closed by the next Changed; nil: nobody waits
	readers int           // calls of Now and Watch that go on

	turn   chan struct{} // full while a reader asks the owner, and waits for its turn; made by fetching
	recent T
	ok     bool
	at     time.Time // when recent was asked for
}

// Changed says that the value may have changed. It never blocks.
func (s *Source[T]) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// next returns a channel that the next Changed closes.
func (s *Source[T]) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return s.waiting
}

// fetching returns the channel by which one reader at a time asks the owner.
func (s *Source[T]) fetching() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn == nil {
		s.turn = make(chan struct{}, 1)
	}
	return s.turn
}

// count counts n more readers.
func (s *Source[T]) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers += n
}

// pause returns the shortest time between two questions of the readers that there are.
func (s *Source[T]) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(max(Pause, time.Duration(s.readers)*Pause/Few), MaxPause)
}

// Now returns a value that the owner is asked for from now on. Readers that call it within
// the pause share one.
func (s *Source[T]) Now() (T, bool) {
	s.count(1)
	defer s.count(-1)
	return s.now()
}

func (s *Source[T]) now() (T, bool) {
	called := time.Now()
	turn := s.fetching()
	turn <- struct{}{}
	defer func() { <-turn }()
	if !s.at.After(called) {
		time.Sleep(time.Until(s.at.Add(s.pause())))
		s.at = time.Now()
		s.recent, s.ok = s.Get()
	}
	return s.recent, s.ok
}

// Watch returns a channel that has the value of now, and then a value after each change. A
// reader that is slow misses values, and never the newest. The channel is closed when ctx
// ends, or the owner.
func (s *Source[T]) Watch(ctx context.Context) <-chan T {
	c := make(chan T, 1)
	go func() {
		defer close(c)
		s.watch(ctx, c)
	}()
	return c
}

func (s *Source[T]) watch(ctx context.Context, c chan T) {
	s.count(1)
	defer s.count(-1)
	var last T
	for first := true; ; first = false {
		changed := s.next() // before the value is asked for: no change is missed
		v, ok := s.now()
		if !ok {
			return
		}
		if first || !s.Equal(last, v) {
			last = v
			replace(c, v)
		}
		if !s.wait(ctx, changed) || !s.wait(ctx, after(s.pause())) {
			return
		}
	}
}

// wait waits for c, and reports whether ctx and the owner go on.
func (s *Source[T]) wait(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
	case <-s.Done:
	}
	return false
}

// after returns a channel that is closed after d.
func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

// replace puts v into c, which has room for one value and this sender alone.
func replace[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}
