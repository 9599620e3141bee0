package reload

import (
	"slices"
	"time"
)

// Update marks the members that have become ready, and returns them, and when to call it
// again if nothing happens before. It reports to r which members are ready or have stopped
// serving.
func (r *Readiness) Update(members []*Member, p Policy, established bool, now time.Time) (ready []*Member, wake time.Time) {
	for _, m := range members {
		switch {
		case !m.serving():
			r.Gone(m, now)
		case m.isReady():
		default:
			is, again := r.decide(m, p, established, now)
			wake = Earlier(wake, again)
			if is {
				m.Ready = now
				r.Ready(m)
				ready = append(ready, m)
			}
		}
	}
	return ready, wake
}

// decide is IsReady, unless the program says itself that it is ready.
func (r *Readiness) decide(m *Member, p Policy, established bool, now time.Time) (ready bool, wake time.Time) {
	if m.SaysReady || m.WaitReady {
		return m.SaysReady, time.Time{}
	}
	return r.IsReady(m, p, established, now)
}

// AwaitsAnswer reports whether a member that serves owes the sign of life it was asked for.
func AwaitsAnswer(members []Member) bool {
	return slices.ContainsFunc(members, func(m Member) bool { return m.serving() && !m.Asked.IsZero() })
}
