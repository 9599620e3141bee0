// Package ratelimit spreads events over a short time. When a worker drains, its
// clients are told to reconnect; the limiter keeps them from reconnecting all at once
// (docs/decisions/0020).
package ratelimit

import (
	"sync/atomic"
	"time"
)

const (
	// Burst is the number of events that are allowed as soon as the limiter starts.
	Burst = 16
	// Period is the time after Start in which every event becomes allowed, however
	// many there are.
	Period = 250 * time.Millisecond

	maxInterval = 2 * time.Millisecond // between two events after the burst
)

// A Limiter allows Burst events at once and the others at equal intervals. The zero
// value allows all events at once. Allow, Allowed and Count may be called from several
// goroutines.
type Limiter struct {
	start    time.Time
	interval time.Duration
	period   time.Duration
	count    atomic.Int64
}

// Start starts the limiter for about n events. All are allowed after within, or after
// Period if that is shorter. Start must return before any other method is called.
func (l *Limiter) Start(n int, within time.Duration) {
	l.start, l.period = time.Now(), min(within, Period)
	l.interval = min(maxInterval, l.period/time.Duration(max(n-Burst, 1)))
}

// Allow reports whether one more event may happen now, and counts it if so. Callers at
// the same time may exceed the rate by their number.
func (l *Limiter) Allow() bool {
	if !l.Allowed() {
		return false
	}
	l.Count()
	return true
}

// Allowed reports whether one more event may happen now. It doesn't count the event,
// for a caller that may decide against it: such a caller calls Count afterwards.
func (l *Limiter) Allowed() bool {
	return time.Since(l.start) >= l.Delay(int(l.count.Load()))
}

// Count counts one event.
func (l *Limiter) Count() { l.count.Add(1) }

// Counted returns how many events were counted.
func (l *Limiter) Counted() int64 { return l.count.Load() }

// Delay returns the time after Start at which the i-th event, counted from 0, is
// allowed.
func (l *Limiter) Delay(i int) time.Duration {
	return min(time.Duration(max(i+1-Burst, 0))*l.interval, l.period)
}
