package reload

import "time"

// force ends a member that does not end by itself: SIGTERM KillAfter after its
// drain, SIGKILL KillAfter after SIGTERM, each once.
func (d *decision) force(m *Member) {
	if m.dead() || m.Serving() || !m.Killed.IsZero() {
		return
	}
	switch {
	case m.Termed.IsZero():
		if d.drainEnded(m, d.policy.KillAfter) {
			d.do(Terminate, m)
		}
	case d.passed(m.Termed, d.policy.KillAfter):
		d.do(Kill, m)
	}
}

// drainEnded reports whether m had drained, or should have, so long ago.
func (d *decision) drainEnded(m *Member, ago time.Duration) bool {
	if m.hasDrained() {
		return d.passed(m.Unlinked, ago)
	}
	begun, grace := d.drainOf(m)
	return d.passed(begun, grace, graceMargin, ago)
}

// hasDrained reports whether m has finished its drain: its link closes then. A worker whose
// link closes before it drains has lost its master, and begins to drain by itself.
func (m *Member) hasDrained() bool { return !m.Unlinked.IsZero() && !m.lost() }

// drainOf returns from when on m has how long for what is left of its drain.
func (d *decision) drainOf(m *Member) (from time.Time, grace time.Duration) {
	switch {
	case !m.Due.IsZero():
		return m.Due, 0
	case m.lost():
		return m.Unlinked, d.policy.Grace
	}
	return m.Draining, d.policy.Grace
}

// hurries reports whether a stop leaves m less time than it has: it drains already, for longer
// than a drain that begins now may take.
func (d *decision) hurries(m *Member) bool {
	if m.dead() || m.Serving() || !m.Killed.IsZero() || m.hasDrained() || d.grace == NoLimit {
		return false
	}
	from, grace := d.drainOf(m)
	return Sum(grace) == NoLimit || from.Add(Sum(grace)).After(d.now.Add(d.grace))
}

// stop ends every member, and starts none.
func (r *Rota) stop(d *decision) {
	r.act(d)
	if _, ok := r.first(alive); !ok {
		d.steps = append(d.steps, Step{Do: Stopped})
	}
}

// stop ends the members of a slot.
func (d *decision) stop(members []*Member) {
	for _, m := range members {
		if d.goal.Kill && !m.dead() {
			d.killOnce(m)
			continue
		}
		if !d.goal.Replaced && d.hurries(m) {
			d.limit(Hurry, m)
		}
		d.remove(m)
	}
}

func (d *decision) killOnce(m *Member) {
	if m.Killed.IsZero() {
		d.do(Kill, m)
	}
}

// UnkillableAfter is how long after SIGKILL a stop waits for a worker. The kernel can't end a
// process that waits for a file system or a device.
const UnkillableAfter = 2 * time.Second

// Unkillable returns how many members are alive, if all of them were killed so long ago that
// a stop no longer waits for them, and 0 otherwise.
func Unkillable(members []Member, now time.Time) (n int) {
	for i := range members {
		switch m := &members[i]; {
		case m.dead():
		case m.Killed.IsZero() || now.Sub(m.Killed) < UnkillableAfter:
			return 0
		default:
			n++
		}
	}
	return n
}
