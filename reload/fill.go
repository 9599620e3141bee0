package reload

import "slices"

// keepSlot lets go whom slot n does not need, and starts whom it lacks.
func (d *decision) keepSlot(n int) {
	s := d.look(n)
	for _, m := range s.members {
		d.tidy(&s, m)
	}
	d.surge += d.places(&s)
	if s.heir != nil {
		d.recycling++
	}
	d.fill(&s)
}

func (d *decision) tidy(s *slot, m *Member) {
	switch {
	case m.dead():
		if !d.matters(s, m) {
			d.do(Forget, m)
		}
	case !m.serving():
		d.force(m)
	case !s.stays(m):
		d.do(Disconnect, m)
	case d.late(m):
		d.do(Kill, m)
	}
}

// places is how many of the surge the slot uses. While the new worker of a roll
// is on trial its place is taken even if the old one is gone, whose respawn
// would otherwise find it given away. One that is lost keeps its place until its
// exit has come: the roll is about to fail, and another start is one more victim.
func (d *decision) places(s *slot) int {
	n := -1
	for _, m := range []*Member{s.target, s.heir, s.other} {
		if m != nil {
			n++
		}
	}
	if d.rolling && (s.target != nil && !s.settled || s.loses(d.target)) {
		n = max(n, 1)
	}
	return max(n, 0)
}

// loses: a member of that generation is gone, and how has not come yet.
func (s *slot) loses(generation int) bool {
	return slices.ContainsFunc(s.members, func(m *Member) bool { return m.Generation == generation && m.lost() })
}

// fill starts whom the slot lacks. Without a member that serves or did, it has a
// place of its own; beside one, the start has to wait for a place of the surge.
func (d *decision) fill(s *slot) {
	proven := d.goal.Generation
	switch {
	case d.rolling:
		if s.other == nil && !s.settled && !d.vacant(s) {
			d.start(s, proven)
		}
		if s.target == nil {
			d.want(s, d.target, false)
		}
	case s.target == nil && s.other == nil:
		if !d.vacant(s) {
			d.start(s, proven)
		}
	case s.target == nil:
		d.want(s, proven, false)
	case d.expired(s.target):
		d.want(s, proven, true)
	}
}

func (d *decision) start(s *slot, generation int) {
	if step, ok := d.successor(s, generation); ok {
		d.steps = append(d.steps, step)
	}
}

// want asks for a place. Those who cannot get one any more are not noted: in the
// roll of a large rota that is nearly everybody, after every event.
func (d *decision) want(s *slot, generation int, recycle bool) {
	if len(d.wants) > d.policy.Surge {
		return
	}
	if step, ok := d.successor(s, generation); ok {
		d.wants = append(d.wants, want{step, recycle})
	}
}

// successor is the start of a member of that generation, once the back-off is
// over. Only members of the same generation count: a release's crash says
// nothing about another.
func (d *decision) successor(s *slot, generation int) (Step, bool) {
	step := Step{Do: Start, Slot: s.number, Generation: generation}
	last := s.last(generation)
	if last == nil {
		return step, true
	}
	step.Crashes = d.crashes(last)
	if !last.serving() && last.failed() {
		return step, d.due(last.endAt().Add(d.policy.Backoff.Delay(step.Crashes)))
	}
	return step, true
}

// matters: the dead member m still says something about its slot's future.
func (d *decision) matters(s *slot, m *Member) bool {
	if m != s.last(m.Generation) {
		return false
	}
	switch m.Generation {
	case d.goal.Generation, d.target:
		return d.crashes(m) > 0 || m.Retired && d.vacant(s) || s.hides(m)
	}
	return false
}

// hides: without m, an older member that is still there would be the last.
func (s *slot) hides(m *Member) bool {
	return slices.ContainsFunc(s.members, func(o *Member) bool {
		return !o.dead() && o.Generation == m.Generation
	})
}
