package reload

import "time"

// A member is in exactly one of these states: dead, draining, lost (its link has
// closed or it got SIGKILL, and its exit is not known yet) or serving (which
// includes starting).

func (m *Member) dead() bool     { return !m.Exited.IsZero() }
func (m *Member) draining() bool { return !m.dead() && !m.Draining.IsZero() }
func (m *Member) lost() bool     { return !m.dead() && !m.draining() && !m.lostAt().IsZero() }
func (m *Member) serving() bool  { return !m.dead() && !m.draining() && m.lostAt().IsZero() }
func (m *Member) isReady() bool  { return !m.Ready.IsZero() }

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
	if !m.Voluntary || !m.isReady() {
		return true
	}
	return !m.Dismissed && m.stoppedServing().Sub(m.Ready) < max(d.policy.MinUptime, soon)
}

// crashes returns how many crashes in a row the slot has had when m, gone or
// serving, is followed by another.
func (d *decision) crashes(m *Member) int {
	end := d.now
	if !m.serving() {
		end = m.stoppedServing()
	}
	n := m.Crashes
	if m.isReady() && end.Sub(m.Ready) >= Sum(d.policy.healed) {
		n = 0
	}
	if !m.serving() && d.needsBackoff(m) {
		n++
	}
	return n
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
	if !d.goal.Established || d.rollingOut || d.goal.RollingBack || !m.isReady() {
		return false
	}
	return m.Recycle || d.passed(m.Ready, d.policy.lifetime(m.ID))
}

// readyOverdue reports whether m is not ready ReadyTimeout after its start.
func (d *decision) readyOverdue(m *Member) bool {
	return d.goal.Established && !m.isReady() && d.passed(m.Started, d.policy.ReadyTimeout)
}

// seemsToHang reports whether m is not ready after three times as long as the slowest
// worker of the proven generation took, at least a second. That is not what a worker may
// take, which is ReadyTimeout, but counts when another rollout waits.
func (d *decision) seemsToHang(m *Member) bool {
	if m.isReady() || !m.serving() {
		return false
	}
	return d.reached(m.Started.Add(d.patience))
}

// slowestStart returns how long the slowest of the serving members took to become ready.
func slowestStart(members []Member) (slowest time.Duration) {
	for i := range members {
		if m := &members[i]; m.serving() && m.isReady() {
			slowest = max(slowest, m.Ready.Sub(m.Started))
		}
	}
	return slowest
}
