package controlserver

import (
	"sync"
	"time"
)

const (
	burst     = 64                   // clients that are accepted at once, when few came before
	interval  = time.Millisecond     // between two clients after that
	garbage   = 4                    // clients that one more counts for, if what it asks for is no request
	busyPause = 3 * time.Millisecond // for a place to become free, before a client is told that there is none
)

// pace is how fast clients are accepted. The others wait in the kernel's queue of the socket, which costs the
// master nothing. The zero value is a pace of which nothing is used. Any goroutine may call its methods.
type pace struct {
	mu   sync.Mutex
	full time.Time // when all of burst is free again
}

// next counts one more client, and returns how long after now it may be accepted.
func (p *pace) next(now time.Time) time.Duration {
	return max(0, p.count(now, 1)-burst*interval)
}

// count counts n clients, and returns how long after now all of burst is free again.
func (p *pace) count(now time.Time, n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full.Before(now) {
		p.full = now
	}
	p.full = p.full.Add(time.Duration(n) * interval)
	return p.full.Sub(now)
}
