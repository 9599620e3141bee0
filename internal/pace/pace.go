// Package pace spreads over a moment what many connections are told, so that their
// clients don't all connect anew at once (docs/decisions/0020).
package pace

import (
	"sync/atomic"
	"time"
)

const (
	// AtOnce is how many are told in the first instant.
	AtOnce = 16
	// Limit is when all may be told, however many there are.
	Limit = 250 * time.Millisecond

	slowest = 2 * time.Millisecond // from one to the next
)

// Pace says whether one more may be told. With the zero value all may be, at once.
type Pace struct {
	began time.Time
	step  time.Duration // from one to the next
	limit time.Duration
	told  atomic.Int64
}

// Begin sets the pace for n connections, all within a time that is at most Limit. It
// comes before everything else.
func (p *Pace) Begin(n int, within time.Duration) {
	p.began, p.limit = time.Now(), min(within, Limit)
	p.step = min(slowest, p.limit/time.Duration(max(n-AtOnce, 1)))
}

// Due reports whether one more may be told now.
func (p *Pace) Due() bool { return time.Since(p.began) >= p.Turn(int(p.told.Load())) }

// Told says that one has been told.
func (p *Pace) Told() { p.told.Add(1) }

// Turn is how long after Begin the turn of the i-th comes, from 0.
func (p *Pace) Turn(i int) time.Duration {
	return min(time.Duration(max(i+1-AtOnce, 0))*p.step, p.limit)
}
