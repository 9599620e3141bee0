package reload

// changeGoal returns the step that ends the first start, a rollout or a roll-back, whether
// or not it succeeded; ok is false if there is none.
func (r *Rota) changeGoal(d *decision) (s Step, ok bool) {
	switch {
	case !d.goal.Established:
		return r.endStart()
	case d.rollingOut:
		return r.endRollout(d)
	case d.goal.RollingBack:
		return Step{Do: RolledBack}, r.isDone()
	case d.goal.Unproven:
		return r.proveStart()
	}
	return s, false
}

// isDone reports whether every slot is as it should be, and no member outside of them serves.
func (r *Rota) isDone() bool {
	_, is := r.first(undone)
	return !is
}

// endStart ends the first start. A worker that dies before it is ready fails it, as there
// is no older generation to return to.
func (r *Rota) endStart() (s Step, ok bool) {
	if v, ok := r.first(failed); ok {
		return Step{Do: Fail, ID: v.fault.ID}, true
	}
	return Step{Do: Establish}, r.isDone()
}

// stillborn returns the first member that died before it was ready; nil: none.
func (d *decision) stillborn(members []*Member) *Member {
	for _, m := range members {
		if d.hasCrashed(m) && !m.IsReady() {
			return m
		}
	}
	return nil
}

// proveStart fails the first start though it was over, if workers die as soon as they are
// ready, none has lived for longer, and none serves now.
func (r *Rota) proveStart() (s Step, ok bool) {
	if _, ok := r.first(proven); ok {
		return Step{Do: Prove}, true
	}
	v, ok := r.first(failed)
	if _, serves := r.first(served); serves || !ok {
		return s, false
	}
	return Step{Do: Fail, ID: v.fault.ID}, true
}

// frail returns the first member that is one of too many in a row that died, and whether one has lived
// for long enough.
func (d *decision) frail(members []*Member) (dead *Member, proven bool) {
	for _, m := range members {
		if m.Serving() && m.IsReady() {
			proven = d.passed(m.Ready, d.policy.MinUptime) || proven
		}
		if dead == nil && d.hasCrashed(m) && d.crashes(m) >= failedStarts {
			dead = m
		}
	}
	return dead, proven
}

// endRollout ends a rollout. Of several new workers that make it fail it names one that died rather than
// one that is not ready in time, and then the one of the lowest slot.
func (r *Rota) endRollout(d *decision) (s Step, ok bool) {
	if d.goal.Aborted {
		return Step{Do: Abort, Err: ErrAborted}, true
	}
	for _, f := range []fact{failed, overdue} {
		if v, ok := r.first(f); ok {
			return Step{Do: Abort, ID: v.fault.ID, Err: v.reason}, true
		}
	}
	return Step{Do: Complete}, !d.isPaused() && r.isDone()
}

// failed returns the new worker of a slot that makes the rollout fail, if any, and why: one that died rather than
// one that is late.
func (d *decision) failed(members []*Member) (m *Member, err error, late bool) {
	for _, o := range members {
		if o.Generation != d.target {
			continue
		}
		if d.hasCrashed(o) {
			return o, ErrDied, false
		}
		if o.Fault != nil && o.Serving() {
			return o, o.Fault, false
		}
		if m == nil && o.Serving() && o.Slot < d.goal.Workers {
			m, err = d.overdue(o)
		}
	}
	return m, err, m != nil
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

// isDone reports whether s is as it should be.
func (d *decision) isDone(s *slot) bool {
	if d.rollingOut {
		return d.isRolledOut(s)
	}
	return d.isServed(s)
}

// isRolledOut reports whether the new generation alone serves s.
func (d *decision) isRolledOut(s *slot) bool { return s.trialPassed && s.onlyTargetServes() }

// isServed reports whether the proven generation alone serves s, or s is to stay
// empty.
func (d *decision) isServed(s *slot) bool {
	if s.target == nil {
		return d.staysEmpty(s) && s.onlyTargetServes()
	}
	return s.target.IsReady() && s.onlyTargetServes()
}

func (s *slot) onlyTargetServes() bool {
	for _, m := range s.members {
		if m.Serving() && m != s.target {
			return false
		}
	}
	return true
}
