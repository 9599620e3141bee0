package child

import (
	"cmp"
	"errors"
	"time"

	"github.com/rota-go/rota/reload"
)

// ErrNoAnswer says that a worker has not answered a health check before the next one.
var ErrNoAnswer = errors.New("no answer")

const (
	defaultHealthInterval = 10 * time.Second
	defaultHealthFailures = 3
)

// HealthInterval returns how often workers are checked by what is set; 0 means never.
func HealthInterval(set time.Duration) time.Duration {
	if set == reload.NoLimit {
		return 0
	}
	return cmp.Or(set, defaultHealthInterval)
}

// HealthFailures returns after how many failed checks a worker is replaced by what is set.
func HealthFailures(set int) int {
	return cmp.Or(set, defaultHealthFailures)
}

// SignOfLife is the number of a check that asks for a sign of life, and is none of a Health:
// these count from 1.
const SignOfLife = 1<<32 - 1

// Health checks one worker, from Start until it serves no more. Its methods and functions
// run on the master's loop. On nil, which is a worker that is not checked, the methods
// except Start do nothing.
type Health struct {
	Interval time.Duration                             // between two checks, and for an answer; 0: no checks
	After    func(time.Duration, func()) (stop func()) // calls a function on the loop
	Serves   func() bool                               // whether the worker is still to be checked
	Send     func(number uint32, within time.Duration) // sends it a check
	Failed   func(err error, times int)                // checks have failed, times in a row

	last     uint32 // number of the last check
	waiting  bool   // for the answer to it
	failures int    // in a row
	stop     func() // stops the timer of the next check; nil before the first
}

// Start sends the first check. Another follows after each Interval.
func (h *Health) Start() {
	if h.Interval > 0 {
		h.check()
	}
}

// check sends a check. If the last one was not answered, that one has failed.
func (h *Health) check() {
	if !h.Serves() {
		return
	}
	if h.waiting {
		h.fail(ErrNoAnswer)
	}
	h.last++
	h.waiting = true
	h.Send(h.last, h.Interval)
	h.stop = h.After(h.Interval, h.check)
}

// Answered takes the answer to a check. A late one doesn't count. text is empty if the
// worker is well.
func (h *Health) Answered(number uint32, text string) {
	if h == nil || number != h.last || !h.waiting {
		return
	}
	h.waiting = false
	if text == "" {
		h.failures = 0
		return
	}
	h.fail(errors.New(text))
}

func (h *Health) fail(err error) {
	h.failures++
	h.Failed(err, h.failures)
}

// Stop stops the timer of the next check, which would keep a dead worker in memory.
func (h *Health) Stop() {
	if h != nil && h.stop != nil {
		h.stop()
	}
}
