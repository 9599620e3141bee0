package window

import (
	"sync/atomic"
	"time"
)

// Patience is how long a goroutine that reads a link may spend in functions of the
// program before another one reads on: this, and up to as much again.
const Patience = time.Millisecond

// Handoff lets the goroutine that reads a link call the program's functions itself.
// To wake another goroutine for every message costs more than the message, above all
// where the other one gets another thread; but functions may take their time, or wait
// for something that only the link can bring. So while they run somebody looks, every
// now and then, whether they still do, and if so another goroutine takes the link over.
//
// The look-out lives only while there is something to look at. A timer for each call
// would cost a system call for each.
type Handoff struct {
	next    func()
	turn    atomic.Uint64 // odd while a function runs; lost when the link was taken over
	watched atomic.Bool   // timer is set
	timer   *time.Timer
	seen    uint64 // turn at the last look
}

const lost = ^uint64(1)

// NewHandoff returns a Handoff for one goroutine. next reads on in its place, with a
// Handoff of its own.
func NewHandoff(next func()) *Handoff {
	h := &Handoff{next: next}
	h.timer = time.AfterFunc(time.Hour, h.look)
	h.timer.Stop()
	return h
}

// Do calls f. It reports whether the caller still has the link: if not, or if f ends
// the goroutine, next runs on another, and the caller must not touch the link.
func (h *Handoff) Do(f func()) (still bool) {
	turn := h.turn.Add(1)
	h.watch()
	returned := false
	defer func() {
		if !returned && h.turn.CompareAndSwap(turn, turn+1) {
			go h.next()
		}
	}()
	f()
	returned = true
	return h.turn.CompareAndSwap(turn, turn+1)
}

// watch sets the timer if it is not set.
func (h *Handoff) watch() {
	if !h.watched.Load() && h.watched.CompareAndSwap(false, true) {
		h.timer.Reset(Patience)
	}
}

// look takes the link over if the same function runs as at the last look, and stops
// looking if nothing has run since.
func (h *Handoff) look() {
	turn := h.turn.Load()
	running, same := turn%2 == 1, turn == h.seen
	h.seen = turn
	switch {
	case same && running && h.turn.CompareAndSwap(turn, lost):
		h.next()
	case same && !running:
		h.watched.Store(false)
		if h.turn.Load() != turn { // a function that began meanwhile was not watched
			h.watch()
		}
	default:
		h.timer.Reset(Patience)
	}
}
