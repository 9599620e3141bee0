package reload

import "time"

// force ends a member that does not end by itself: SIGTERM KillAfter after its
// drain, SIGKILL KillAfter after SIGTERM, each once.
func (d *decision) force(m *Member) {
	if m.dead() || m.serving() || !m.Killed.IsZero() {
		return
	}
	after := span(d.policy.KillAfter)
	switch {
	case m.Termed.IsZero():
		if d.due(d.drained(m).Add(after)) {
			d.do(Terminate, m)
		}
	case d.due(m.Termed.Add(after)):
		d.do(Kill, m)
	}
}

// drained is when m has drained or should have. A closed link is the end of a
// drain, or, of a member that had not begun one, its beginning: a worker without
// a master drains by itself.
func (d *decision) drained(m *Member) time.Time {
	switch {
	case m.lost():
		return m.Unlinked.Add(span(d.policy.Grace)).Add(graceLag)
	case !m.Unlinked.IsZero():
		return m.Unlinked
	}
	return m.Draining.Add(span(d.policy.Grace)).Add(graceLag)
}

// stop lets everybody go, and starts nobody.
func (d *decision) stop() {
	alive := false
	for _, m := range d.rota.order {
		alive = alive || !m.dead()
		if d.goal.Kill && !m.dead() {
			d.killOnce(m)
			continue
		}
		d.letGo(m)
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
