// Package quiet waits until nobody waits in a queue any more.
package quiet

import (
	"context"
	"time"
)

const (
	interval = 5 * time.Millisecond // between two looks
	enough   = 20                   // looks in a row before the last, for handshakes under way: the client's next packet
	limit    = 200                  // looks in all: the program doesn't accept
)

// Wait returns right after a look at which nobody waits, and nobody has at those of the 100 ms before it. It looks for about
// a second at most, or until ctx ends.
func Wait(ctx context.Context, waits func() bool) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for l := (looks{}); !l.another(waits()); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// looks counts looks at a queue. It is not the time that counts: on a busy machine the process may not run for longer
// than that, and those whose handshakes end meanwhile would be reset.
type looks struct{ all, quiet int }

// another counts one more look, at which somebody waits or nobody does, and reports whether it is the last.
func (l *looks) another(waits bool) (last bool) {
	l.all++
	l.quiet++
	if waits {
		l.quiet = 0
	}
	return l.quiet > enough || l.all > limit
}
