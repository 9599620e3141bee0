package handover

import (
	"sync"
	"sync/atomic"
	"time"
)

// Deadline is the deadline of a listener's Accept. While it is woken, the listener has one
// that has passed.
type Deadline struct {
	mu    sync.Mutex
	t     time.Time // as the program has set it
	woken bool
	ended atomic.Int64 // how often it was woken, and isn't any more
}

// Deadliner is a listener with a deadline.
type Deadliner interface{ SetDeadline(time.Time) error }

// Set is the program's SetDeadline.
func (d *Deadline) Set(ln Deadliner, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t = t
	if d.woken {
		return nil // Restore sets it
	}
	return ln.SetDeadline(t)
}

// Get returns what the program has set.
func (d *Deadline) Get() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.t
}

// Wake has an Accept that waits fail. It reports false if the listener is woken already.
func (d *Deadline) Wake(ln Deadliner) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.woken {
		return false
	}
	d.woken = true
	_ = ln.SetDeadline(time.Unix(1, 0)) // fails if the listener is closed: then Accept fails too
	return true
}

// IsWoken reports whether no Accept has failed since Wake.
func (d *Deadline) IsWoken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.woken
}

// Ended counts the wakes that have ended. If an Accept fails at a deadline, and the number isn't the one of before it began, then it
// may have failed by a wake, also if another Accept has ended that.
func (d *Deadline) Ended() int64 { return d.ended.Load() }

// Restore sets the program's deadline again, if there is another, and returns Ended.
func (d *Deadline) Restore(ln Deadliner) (ended int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.woken {
		d.woken = false
		d.ended.Add(1)
		_ = ln.SetDeadline(d.t) // fails if the listener is closed: then Accept fails too
	}
	return d.ended.Load()
}
