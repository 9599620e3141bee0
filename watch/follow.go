package watch

import (
	"context"
	"time"
)

// source is what follow watches.
type source interface {
	// look returns what is there now; two looks are equal if nothing has changed.
	look() string
	// woken returns a channel that has a value when something may have changed. nil: nobody tells.
	woken() <-chan struct{}
}

// pending is what follow knows. It is a value.
type pending struct {
	acted string    // what was there when changed was called last, or at the beginning
	seen  string    // what was there at the last look
	since time.Time // when it was there first
}

// isPending reports whether something has changed that doesn't count yet.
func (p pending) isPending() bool { return p.seen != p.acted }

// never is what no look finds, also if there are no files.
const never = "\x00"

// restPeriods is how many times quiet there are between two looks while nothing happens.
const restPeriods = 5

// next returns p after a look, whether the change counts now, and when to look again at the latest.
func (p pending) next(look string, now time.Time, quiet time.Duration) (after pending, counts bool, again time.Duration) {
	if look != p.seen {
		p.seen, p.since = look, now
	}
	switch left := quiet - now.Sub(p.since); {
	case p.seen == p.acted:
		return p, false, restPeriods * quiet
	case left > 0:
		return p, false, left
	}
	p.acted = p.seen
	return p, true, quiet // something may change meanwhile
}

// follow calls changed for each change of s that counts, until ctx ends.
func follow(ctx context.Context, cfg Config, s source, changed func()) {
	quiet := cfg.quiet()
	first, wait := s.look(), restPeriods*quiet
	p := pending{acted: first, seen: first, since: time.Now()}
	if cfg.First {
		p.acted, wait = never, quiet
	}
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.woken():
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		before := p.isPending()
		var counts bool
		p, counts, wait = p.next(s.look(), time.Now(), quiet)
		if cfg.Pending != nil && !counts && p.isPending() != before {
			cfg.Pending(p.isPending())
		}
		if counts {
			changed()
		}
	}
}
