package controlserver

import "time"

const (
	burst     = 64                   // clients that are accepted at once, when few came before
	interval  = time.Millisecond     // between two clients after that
	busyPause = 2 * time.Millisecond // for a place to become free, before a client is told that there is none
)

// pace is how fast clients are accepted. The others wait in the kernel's queue of the socket, which costs the
// master nothing. The zero value is a pace of which nothing is used.
type pace struct{ full time.Time } // when all of burst is free again

// next counts one more client, and returns how long after now it may be accepted.
func (p *pace) next(now time.Time) time.Duration {
	if p.full.Before(now) {
		p.full = now
	}
	p.full = p.full.Add(interval)
	return max(0, p.full.Sub(now)-burst*interval)
}
