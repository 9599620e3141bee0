package reload

import "time"

// A member is in exactly one of these states: dead, draining (leaving in good
// order), lost (its link or SIGKILL says that it is gone, its exit has not come
// yet) or serving (which includes starting).

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

// endAt is when m stopped to serve, for the back-off of its successor.
func (m *Member) endAt() time.Time {
	switch {
	case !m.Draining.IsZero():
		return m.Draining
	case m.dead():
		return m.Exited
	}
	return m.lostAt().Add(exitLag)
}

// failed: its successor must wait. A worker that leaves before it was ready has
// done nothing wrong, but to start the next at once would spin.
func (m *Member) failed() bool { return !m.Voluntary || !m.isReady() }

// crashes is how many crashes in a row its slot has behind it when m, gone or
// serving, gets a successor.
func (d *decision) crashes(m *Member) int {
	end := d.now
	if !m.serving() {
		end = m.endAt()
	}
	n := m.Crashes
	if m.isReady() && end.Sub(m.Ready) >= span(d.policy.Backoff.Reset) {
		n = 0
	}
	if !m.serving() && m.failed() {
		n++
	}
	return n
}

// gone: dead, or lost for so long that its exit is not waited for.
func (d *decision) gone(m *Member) bool {
	return m.dead() || m.lost() && d.due(m.lostAt().Add(exitLag))
}

// crashed: gone, and nobody asked for it.
func (d *decision) crashed(m *Member) bool { return !m.Voluntary && d.gone(m) }

// expired: m serves well, but should be replaced when its turn comes. No turn
// comes before everything else has settled.
func (d *decision) expired(m *Member) bool {
	if !d.goal.Established || d.rolling || d.goal.RollingBack || !m.isReady() {
		return false
	}
	return m.Recycle || d.policy.MaxAge > 0 && d.due(m.Ready.Add(d.policy.lifetime(m.ID)))
}

// late: m is not ready and has had the time for it.
func (d *decision) late(m *Member) bool {
	if !d.goal.Established || m.isReady() || d.policy.ReadyTimeout < 0 {
		return false
	}
	return d.due(m.Started.Add(d.policy.ReadyTimeout))
}
