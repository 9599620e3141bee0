package reload

// judge finds out whether a phase of the rota is over: the first start, a roll
// or a roll-back. It comes before everything else, as it changes the rules.
func (d *decision) judge() bool {
	switch {
	case !d.goal.Established:
		d.judgeStart()
	case d.rolling:
		d.judgeRoll()
	case d.goal.RollingBack:
		if d.all(d.served) {
			d.steps = append(d.steps, Step{Do: RolledBack})
		}
	}
	return len(d.steps) > 0
}

// judgeStart: there is nothing to fall back on yet, so a worker that cannot
// start ends it all, instead of being tried for ever.
func (d *decision) judgeStart() {
	for _, m := range d.rota.order {
		if d.crashed(m) && !m.isReady() {
			d.do(Fail, m)
			return
		}
	}
	if d.all(d.served) {
		d.steps = append(d.steps, Step{Do: Establish})
	}
}

func (d *decision) judgeRoll() {
	if m, err := d.culprit(); m != nil {
		d.steps = append(d.steps, Step{Do: Abort, ID: m.ID, Err: err})
		return
	}
	if d.all(d.rolled) {
		d.steps = append(d.steps, Step{Do: Complete})
	}
}

// culprit is the member that makes the roll fail, by its death rather than by
// its slowness if there are several, then the one of the lowest slot.
func (d *decision) culprit() (late *Member, err error) {
	for _, m := range d.rota.order {
		if m.Generation != d.target {
			continue
		}
		if d.crashed(m) {
			return m, ErrDied
		}
		if late == nil && m.serving() && m.Slot < d.goal.Workers && d.late(m) {
			late, err = m, ErrNotReady
		}
	}
	return late, err
}

// all: every slot is as it should be, and nobody serves outside of them.
func (d *decision) all(ok func(*slot) bool) bool {
	for n := range d.goal.Workers {
		if s := d.look(n); !ok(&s) {
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

// rolled: the slot is served by the new generation alone.
func (d *decision) rolled(s *slot) bool { return s.settled && s.alone() }

// served: by the proven generation alone, or nobody is wanted there.
func (d *decision) served(s *slot) bool {
	if s.target == nil {
		return d.vacant(s) && s.alone()
	}
	return s.target.isReady() && s.alone()
}

// alone: nobody but the target serves.
func (s *slot) alone() bool {
	for _, m := range s.members {
		if m.serving() && m != s.target {
			return false
		}
	}
	return true
}
