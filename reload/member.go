package reload

import (
	"slices"
	"time"
)

// A member is in exactly one of these states: dead, draining, lost (its link has
// closed or it got SIGKILL, and its exit is not known yet) or serving (which
// includes starting).

func (m *Member) dead() bool     { return !m.Exited.IsZero() }
func (m *Member) draining() bool { return !m.dead() && !m.Draining.IsZero() }
func (m *Member) lost() bool     { return !m.dead() && !m.draining() && !m.lostAt().IsZero() }

// Serving reports whether m isn't dead, draining or lost. It may be starting.
func (m *Member) Serving() bool { return !m.dead() && !m.draining() && m.lostAt().IsZero() }

// IsReady reports whether m has become ready, whatever has become of it since.
func (m *Member) IsReady() bool { return !m.Ready.IsZero() }

func (m *Member) lostAt() time.Time {
	if m.Unlinked.IsZero() {
		return m.Killed
	}
	return m.Unlinked
}

// stoppedServing returns when m stopped serving. The back-off of the worker after
// it begins then.
func (m *Member) stoppedServing() time.Time {
	switch {
	case !m.Draining.IsZero():
		return m.Draining
	case m.dead():
		return m.Exited
	}
	return m.lostAt().Add(exitWait)
}

// needsBackoff reports whether the worker after m must wait. A worker that leaves
// before it was ready, or by itself soon after, has not crashed, but starting the next at
// once could repeat without a pause.
func (d *decision) needsBackoff(m *Member) bool {
	if !m.Voluntary || !m.IsReady() {
		return true
	}
	return !m.Dismissed && m.stoppedServing().Sub(m.Ready) < max(d.policy.MinUptime, soon)
}

// crashes returns how many crashes in a row the slot has had when m, gone or
// serving, is followed by another.
func (d *decision) crashes(m *Member) int {
	n := m.Crashes
	if n > 0 && d.endsRow(m) {
		n = 0
	}
	if !m.Serving() && d.needsBackoff(m) {
		n++
	}
	return n
}

// endsRow reports whether m has been ready for so long that it ends a row of crashes.
func (d *decision) endsRow(m *Member) bool {
	if m.Serving() {
		return m.IsReady() && d.passed(m.Ready, d.policy.healed)
	}
	return m.IsReady() && m.stoppedServing().Sub(m.Ready) >= Sum(d.policy.healed)
}

// isGone reports whether m is dead, or lost for so long that its exit is no longer
// waited for.
func (d *decision) isGone(m *Member) bool {
	return m.dead() || m.lost() && d.reached(m.lostAt().Add(exitWait))
}

// hasCrashed reports whether m is gone without having been asked to end.
func (d *decision) hasCrashed(m *Member) bool { return !m.Voluntary && d.isGone(m) }

// needsRecycling reports whether m serves and should be replaced now, because of
// its age or Member.Recycle. During the first start, a rollout and a roll-back
// nothing is recycled.
func (d *decision) needsRecycling(m *Member) bool {
	if !d.goal.Established || d.rollingOut || d.goal.RollingBack || !m.IsReady() {
		return false
	}
	return m.Recycle || d.passed(m.Ready, d.policy.lifetime(m.ID))
}

// readyOverdue reports whether m is not ready ReadyTimeout after its start.
func (d *decision) readyOverdue(m *Member) bool {
	return !m.IsReady() && d.passed(m.Started, d.policy.ReadyTimeout)
}

// seemsToHang reports whether m is not ready after three times as long as the slowest
// worker of the proven generation took, at least a second. That is not what a worker may
// take, which is ReadyTimeout, but counts when another rollout waits.
func (d *decision) seemsToHang(m *Member) bool {
	if m.IsReady() || !m.Serving() {
		return false
	}
	return d.reached(m.Started.Add(d.patience))
}

// AwaitsAnswer reports whether a member that serves owes the sign of life it was asked for.
func AwaitsAnswer(members []Member) bool {
	return slices.ContainsFunc(members, func(m Member) bool { return m.Serving() && !m.Asked.IsZero() })
}
