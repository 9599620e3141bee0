package child

import "errors"

// ErrNoAnswer says that a worker has not answered a health check before the next one.
var ErrNoAnswer = errors.New("no answer")

// Health is the state of the health checks of a worker. The zero value is that of a worker
// that is not checked.
type Health struct {
	started  bool
	last     uint32 // number of the last check
	waiting  bool   // for the answer to it
	failures int    // in a row
	stop     func() // stops the timer of the next check; nil before the first
}

// Start reports whether the checks are to be started now, which is so once.
func (h *Health) Start() bool {
	was := h.started
	h.started = true
	return !was
}

// Next begins the next check and returns its number. err is ErrNoAnswer if the last check
// was not answered.
func (h *Health) Next() (number uint32, err error) {
	if h.waiting {
		err = ErrNoAnswer
	}
	h.last++
	h.waiting = true
	return h.last, err
}

// Answer takes the answer to a check, and reports whether it counts: a late answer
// doesn't. text is empty if the worker is healthy.
func (h *Health) Answer(number uint32, text string) (err error, counts bool) {
	if number != h.last || !h.waiting {
		return nil, false
	}
	h.waiting = false
	if text == "" {
		h.failures = 0
		return nil, true
	}
	return errors.New(text), true
}

// Fail counts a failed check, and returns how many have failed in a row.
func (h *Health) Fail() int {
	h.failures++
	return h.failures
}

// SetTimer records how to stop the timer of the next check.
func (h *Health) SetTimer(stop func()) { h.stop = stop }

// Stop stops the timer of the next check, which would keep a dead worker in memory.
func (h *Health) Stop() {
	if h.stop != nil {
		h.stop()
	}
}
