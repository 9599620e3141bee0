package reload

// changeGoal adds the step that ends the first start, a rollout or a roll-back, whether
// or not it succeeded. It reports whether there is such a step.
func (d *decision) changeGoal() bool {
	switch {
	case !d.goal.Established:
		d.endStart()
	case d.rollingOut:
		d.endRollout()
	case d.goal.RollingBack:
		if d.everySlot(d.isServed) {
			d.steps = append(d.steps, Step{Do: RolledBack})
		}
	case d.goal.Unproven:
		d.proveStart()
	}
	return len(d.steps) > 0
}

// endStart ends the first start. A worker that dies before it is ready fails it, as there
// is no older generation to return to.
func (d *decision) endStart() {
	for _, m := range d.rota.order {
		if d.hasCrashed(m) && !m.isReady() {
			d.do(Fail, m)
			return
		}
	}
	if d.everySlot(d.isServed) {
		d.steps = append(d.steps, Step{Do: Establish})
	}
}

// proveStart fails the first start though it was over, if workers die as soon as they are
// ready, none has lived for longer, and none serves now.
func (d *decision) proveStart() {
	var dead *Member
	serves, proven := false, false
	for _, m := range d.rota.order {
		if m.serving() && m.isReady() {
			serves = true
			proven = proven || d.passed(m.Ready, d.policy.MinUptime)
		}
		if dead == nil && d.hasCrashed(m) && d.crashes(m) >= failedStarts {
			dead = m
		}
	}
	switch {
	case proven:
		d.steps = append(d.steps, Step{Do: Prove})
	case dead != nil && !serves:
		d.do(Fail, dead)
	}
}

func (d *decision) endRollout() {
	if d.goal.Aborted {
		d.steps = append(d.steps, Step{Do: Abort, Err: ErrAborted})
		return
	}
	if m, err := d.failed(); m != nil {
		d.steps = append(d.steps, Step{Do: Abort, ID: m.ID, Err: err})
		return
	}
	if !d.isPaused() && d.everySlot(d.isRolledOut) {
		d.steps = append(d.steps, Step{Do: Complete})
	}
}

// failed returns the new worker that makes the rollout fail, if any, and why. Of
// several it is one that died rather than one that is not ready in time, and then
// the one of the lowest slot.
func (d *decision) failed() (overdue *Member, err error) {
	for _, m := range d.rota.order {
		if m.Generation != d.target {
			continue
		}
		if d.hasCrashed(m) {
			return m, ErrDied
		}
		if m.Fault != nil && m.serving() {
			return m, m.Fault
		}
		if overdue == nil && m.serving() && m.Slot < d.goal.Workers {
			overdue, err = d.overdue(m)
		}
	}
	return overdue, err
}

// overdue returns m, and why the rollout fails, if m should be ready by now, or should have
// given a sign of life.
func (d *decision) overdue(m *Member) (*Member, error) {
	switch {
	case d.readyOverdue(m):
		return m, ErrNotReady
	case d.owesAnswer(m) && d.reached(m.Asked.Add(AnswerWait)):
		return m, ErrNoAnswer
	case d.goal.Superseded && d.seemsToHang(m):
		return m, ErrSuperseded
	}
	return nil, nil
}

// everySlot reports whether ok is true of every slot, and no member outside of them
// serves.
func (d *decision) everySlot(ok func(*slot) bool) bool {
	for n := range d.goal.Workers {
		if s := d.slot(n); !ok(&s) {
			return false
		}
	}
	for _, m := range d.rota.outside() {
		if m.serving() {
			return false
		}
	}
	return true
}

// isRolledOut reports whether the new generation alone serves s.
func (d *decision) isRolledOut(s *slot) bool { return s.trialPassed && s.onlyTargetServes() }

// isServed reports whether the proven generation alone serves s, or s is to stay
// empty.
func (d *decision) isServed(s *slot) bool {
	if s.target == nil {
		return d.staysEmpty(s) && s.onlyTargetServes()
	}
	return s.target.isReady() && s.onlyTargetServes()
}

func (s *slot) onlyTargetServes() bool {
	for _, m := range s.members {
		if m.serving() && m != s.target {
			return false
		}
	}
	return true
}
