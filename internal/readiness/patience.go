package readiness

import (
	"time"

	"github.com/rota-go/rota/reload"
)

// patienceFactor is how many times longer than its predecessor a new worker may leave an
// address unasked. Two generations start more slowly than one, and a machine is busy during
// a reload.
const patienceFactor = 3

// patience is how long a new worker may leave an address of its predecessor unasked.
type patience struct {
	started time.Time     // the new worker
	limit   time.Duration // Policy.ReadyTimeout, with defaults
	alone   bool          // nobody else serves the slot, so that a missing address costs nothing
}

// ends returns when all addresses of other that a lacks are given up. ever is false if that
// is never: then a must accept on them to be ready.
func (p patience) ends(a, other *acceptor) (end time.Time, ever bool) {
	for _, address := range a.missing(other) {
		needed, held := other.uses[address].needed, a.uses[address] != nil
		d, ok := p.bound(needed)
		if held {
			d, ok = p.last()
		}
		if !ok {
			return time.Time{}, false
		}
		if t := p.started.Add(d); t.After(end) {
			end = t
		}
	}
	return end, true
}

// bound returns for how long after the start an address is waited for that took needed
// before: three times as long and at least a second, but not until the worker is overdue.
// ok is false if there is no bound.
func (p patience) bound(needed time.Duration) (d time.Duration, ok bool) {
	d = max(acceptPause, patienceFactor*needed)
	switch {
	case p.limit == reload.NoLimit:
		return d, true
	case needed >= p.limit:
		return p.last()
	}
	return min(d, needed+(p.limit-needed)/2), true
}

// last is the bound of an address that is not given up before the worker is overdue: it has
// asked for it already, or its predecessor needed longer than that.
func (p patience) last() (d time.Duration, ok bool) {
	return p.limit, p.alone && p.limit != reload.NoLimit
}
