package gate

import "time"

// Patience is how long a goroutine that reads a link may spend in functions of the
// program before another one reads on.
const Patience = time.Millisecond

// Handoff lets the goroutine that reads a link call the program's functions itself.
// To wake another goroutine for every message costs more than the message, above all
// where the other one gets another thread; but functions may take their time, or wait
// for something that only the link can bring. So while they run, another goroutine is
// ready to take the link over.
type Handoff struct {
	next  func()
	timer *time.Timer
}

// NewHandoff returns a Handoff for one goroutine. next reads on in its place, with a
// Handoff of its own.
func NewHandoff(next func()) *Handoff {
	h := &Handoff{next: next, timer: time.AfterFunc(time.Hour, next)}
	h.timer.Stop()
	return h
}

// Do calls f. It reports whether the caller still has the link: if not, or if f ends
// the goroutine, next runs on another, and the caller must not touch the link.
func (h *Handoff) Do(f func()) (still bool) {
	returned := false
	defer func() {
		if !returned && h.timer.Stop() {
			go h.next()
		}
	}()
	h.timer.Reset(Patience)
	f()
	returned = true
	return h.timer.Stop()
}
