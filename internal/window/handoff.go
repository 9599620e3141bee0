package window

import (
	"sync/atomic"
	"time"
)

// Patience is how long the goroutine that reads a link may spend in functions of the
// program before another goroutine reads on: between one and two times this.
const Patience = time.Millisecond

// Handoff lets the goroutine that reads a link call the program's functions itself. To
// wake another goroutine for every message costs more than the message. But a function may
// take long, or wait for something that only the link can bring, so a timer checks now and
// then whether the same function still runs, and if so, another goroutine reads on.
//
// The timer runs only while functions are called. A timer for each call would cost a system
// call for each.
type Handoff struct {
	next    func()
	calls   atomic.Uint64 // odd while a function runs; handedOff when another goroutine reads on
	watched atomic.Bool   // timer is set
	timer   *time.Timer
	seen    uint64 // calls at the last check
}

// handedOff is never reached by counting.
const handedOff = ^uint64(1)

// NewHandoff returns a Handoff for one goroutine. next reads on in its place, with its own
// Handoff.
func NewHandoff(next func()) *Handoff {
	h := &Handoff{next: next}
	h.timer = time.AfterFunc(time.Hour, h.check)
	h.timer.Stop()
	return h
}

// Do calls f. It reports whether the caller is still the reader of the link. If not, or if
// f calls runtime.Goexit, next runs on another goroutine, and the caller must not use the
// link.
func (h *Handoff) Do(f func()) (still bool) {
	turn := h.calls.Add(1)
	h.watch()
	returned := false
	defer func() {
		if !returned && h.calls.CompareAndSwap(turn, turn+1) {
			go h.next()
		}
	}()
	f()
	returned = true
	return h.calls.CompareAndSwap(turn, turn+1)
}

// watch sets the timer if it is not set.
func (h *Handoff) watch() {
	if !h.watched.Load() && h.watched.CompareAndSwap(false, true) {
		h.timer.Reset(Patience)
	}
}

// check hands the link to next if the same function runs as at the last check, and stops
// the timer if no function has run since.
func (h *Handoff) check() {
	turn := h.calls.Load()
	running, same := turn%2 == 1, turn == h.seen
	h.seen = turn
	switch {
	case same && running && h.calls.CompareAndSwap(turn, handedOff):
		h.next()
	case same && !running:
		h.watched.Store(false)
		if h.calls.Load() != turn { // a function has begun meanwhile
			h.watch()
		}
	default:
		h.timer.Reset(Patience)
	}
}
