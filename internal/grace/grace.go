// Package grace is the time that a drain may take: a context that ends with it, and that a later
// order can make shorter or longer while it lasts.
package grace

import (
	"context"
	"math"
	"sync"
	"time"
)

// NoLimit is a grace that does not end by itself, as master.NoLimit.
const NoLimit time.Duration = math.MaxInt64

// Grace is the grace of one drain. As a context it has no deadline before Begin or Set, and it
// ends with context.DeadlineExceeded, at the end of the grace or by End. New makes one.
type Grace struct {
	context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	begun time.Time
	end   time.Time   // zero before Begin or Set
	timer *time.Timer // nil: there is no limit
}

// New returns a grace that has not begun.
func New() *Grace {
	g := &Grace{}
	g.Context, g.cancel = context.WithCancel(context.Background())
	return g
}

// Begin begins the grace, which takes that long unless Set has said another time.
func (g *Grace) Begin(takes time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.begun = time.Now()
	if g.end.IsZero() {
		g.set(takes)
	}
}

// Set has the grace end in so long, whatever was said before.
func (g *Grace) Set(left time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(left)
}

func (g *Grace) set(left time.Duration) {
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	g.end = time.Now().Add(left)
	if left != NoLimit {
		g.timer = time.AfterFunc(left, g.cancel)
	}
}

// End ends the grace, if it has not ended, and what waits for it.
func (g *Grace) End() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Until(g.end) > 0 {
		g.set(0)
	}
	g.cancel()
}

// Left returns how long the grace still takes.
func (g *Grace) Left() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.end)
}

// IsHalfOver reports whether as much of the grace has passed as is left.
func (g *Grace) IsHalfOver() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.begun.IsZero() && time.Since(g.begun) >= time.Until(g.end)
}

// Took returns how long the grace was, when it is over.
func (g *Grace) Took() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.end.Sub(g.begun).Round(10 * time.Millisecond)
}

// Deadline returns when the grace ends, as far as is known.
func (g *Grace) Deadline() (end time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.end, g.timer != nil
}

// Err returns context.DeadlineExceeded when the grace is over.
func (g *Grace) Err() error {
	if g.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}
