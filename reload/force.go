package reload

import "time"

// force ends a member that does not end by itself: SIGTERM KillAfter after its
// drain, SIGKILL KillAfter after SIGTERM, each once.
func (d *decision) force(m *Member) {
	if m.dead() || m.serving() || !m.Killed.IsZero() {
		return
	}
	after := nonNegative(d.policy.KillAfter)
	switch {
	case m.Termed.IsZero():
		if d.reached(d.drainEnd(m).Add(after)) {
			d.do(Terminate, m)
		}
	case d.reached(m.Termed.Add(after)):
		d.do(Kill, m)
	}
}

// drainEnd returns when m had drained, or should have. The link of a draining
// member closes when it has drained. A worker whose link closes before that has
// lost its master, and begins to drain by itself.
func (d *decision) drainEnd(m *Member) time.Time {
	switch {
	case m.lost():
		return m.Unlinked.Add(nonNegative(d.policy.Grace)).Add(graceMargin)
	case !m.Unlinked.IsZero():
		return m.Unlinked
	}
	return m.Draining.Add(nonNegative(d.policy.Grace)).Add(graceMargin)
}

// stop ends every member, and starts none.
func (d *decision) stop() {
	alive := false
	for _, m := range d.rota.order {
		alive = alive || !m.dead()
		if d.goal.Kill && !m.dead() {
			d.killOnce(m)
			continue
		}
		d.remove(m)
	}
	if !alive {
		d.steps = append(d.steps, Step{Do: Stopped})
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
