package reload

import "slices"

// decideSlot ends the members that a slot does not need, and starts the one that
// it lacks.
func (d *decision) decideSlot(s *slot) {
	for _, m := range s.members {
		d.decideMember(s, m)
	}
	d.startMissing(s)
}

func (d *decision) decideMember(s *slot, m *Member) {
	switch {
	case m.dead():
		if !d.isNeeded(s, m) {
			d.do(Forget, m)
		}
	case !m.Serving():
		d.force(m)
	case !s.keeps(m):
		d.limit(Disconnect, m)
	case d.readyOverdue(m):
		d.endOverdue(s, m)
	}
}

// endOverdue ends m, which isn't ready in time, unless nobody else serves the slot: then to
// start another would only begin the waiting again.
func (d *decision) endOverdue(s *slot, m *Member) {
	switch {
	case s.hasReadyBeside(m):
		d.do(Kill, m)
	case m.Late.IsZero():
		d.do(Late, m)
	}
}

// hasReadyBeside reports whether another member than m serves the slot.
func (s *slot) hasReadyBeside(m *Member) bool {
	return slices.ContainsFunc(s.members, func(o *Member) bool { return o != m && o.Serving() && o.IsReady() })
}

// surgePlaces returns how many places of the surge the slot uses. A new worker of
// a rollout that is on trial uses one even if the old worker has gone, because
// that is about to be started again. So does one that is lost until its exit is
// known: it will fail the rollout, and no further worker should be started for it.
func (d *decision) surgePlaces(s *slot) int {
	n := -1
	for _, m := range []*Member{s.target, s.successor, s.other} {
		if m != nil {
			n++
		}
	}
	if d.rollingOut && (s.target != nil && !s.trialPassed || s.hasLost(d.target)) {
		n = max(n, 1)
	}
	return max(n, 0)
}

// hasLost reports whether a member of that generation is lost.
func (s *slot) hasLost(generation int) bool {
	return slices.ContainsFunc(s.members, func(m *Member) bool { return m.Generation == generation && m.lost() })
}

// startMissing starts the member that the slot lacks. The first of the slot may
// always start; one beside another needs a place of the surge.
func (d *decision) startMissing(s *slot) {
	proven := d.goal.Generation
	switch {
	case d.rollingOut:
		if s.other == nil && !s.trialPassed && !d.staysEmpty(s) {
			d.startNow(s, proven)
		}
		if s.target == nil {
			d.startLater(s, d.target, false)
		}
	case s.target == nil && s.other == nil:
		if !d.staysEmpty(s) {
			d.startNow(s, proven)
		}
	case s.target == nil:
		d.startLater(s, proven, false)
	case d.needsRecycling(s.target):
		d.startLater(s, proven, true)
	}
}

func (d *decision) startNow(s *slot, generation int) {
	if step, ok := d.startOf(s, generation); ok {
		d.steps = append(d.steps, step)
	}
}

// startLater asks for a place of the surge.
func (d *decision) startLater(s *slot, generation int, recycle bool) {
	if step, ok := d.startOf(s, generation); ok {
		if recycle {
			step.ID = s.target.ID
		}
		d.pending = pendingStart{step, recycle}
	}
}

// startOf returns the step that starts a member of that generation; ok is false
// during the back-off. Only crashes of the same generation count: those of one
// release say nothing about another.
func (d *decision) startOf(s *slot, generation int) (step Step, ok bool) {
	step = Step{Do: Start, Slot: s.number, Generation: generation}
	last := s.last(generation)
	if last == nil {
		return step, true
	}
	step.Crashes = d.crashes(last)
	if !last.Serving() && d.needsBackoff(last) {
		pause := d.policy.backoff(step.Crashes)
		ok = d.passed(last.stoppedServing(), pause)
		if !ok {
			d.backoff = Backoff{Slot: s.number, Generation: generation, Crashes: step.Crashes, Until: last.stoppedServing().Add(pause)}
		}
		return step, ok
	}
	return step, true
}

// isNeeded reports whether the dead member m still decides what becomes of its slot.
func (d *decision) isNeeded(s *slot, m *Member) bool {
	if m != s.last(m.Generation) {
		return false
	}
	switch m.Generation {
	case d.goal.Generation, d.target:
		return d.crashes(m) > 0 || m.Retired && d.staysEmpty(s) || s.hasOlderAlive(m)
	}
	return false
}

// hasOlderAlive reports whether another member of m's generation is alive. It
// would be the slot's last if the dead member m were forgotten.
func (s *slot) hasOlderAlive(m *Member) bool {
	return slices.ContainsFunc(s.members, func(o *Member) bool {
		return !o.dead() && o.Generation == m.Generation
	})
}
