package reload

import "time"

// verdict is what was decided of one slot, or of the members that have none. It depends on these members, a
// question and the time.
type verdict struct {
	until  time.Time // when it may be another though nothing has happened; zero: never
	steps  []Step    // what to do
	start  pendingStart
	back   Backoff // of an empty slot; see Rota.Backoffs
	surge  int     // workers beyond one
	fault  *Member // what fails the first start or the rollout, and why; nil: nothing
	reason error
	facts  [factCount]bool
}

// fact is something that is true of a slot or isn't.
type fact int

const (
	timed     fact = iota // verdict.until is set
	acts                  // verdict.steps isn't empty
	waits                 // verdict.start waits for a place of the surge
	alive                 // there is a member that isn't dead
	served                // a member is ready and serves
	proven                // and was ready for MinUptime; asked only of an unproven start
	untried               // no member of the target generation has passed its trial
	undone                // not only one member of the target generation serves
	recycling             // there are a member to recycle and its successor
	failed                // verdict.fault has died, or says itself that something is wrong
	overdue               // verdict.fault isn't ready, or silent
	factCount
)

// judge decides of the members of place n.
func (d *decision) judge(n int, members []*Member) (v verdict) {
	d.steps, d.wake, d.pending, d.backoff = nil, time.Time{}, pendingStart{}, Backoff{}
	defer func() {
		v.until, v.steps, v.start = d.wake, d.steps, d.pending
		if !v.facts[alive] {
			v.back = d.backoff
		}
		v.facts[timed], v.facts[acts], v.facts[waits] = !v.until.IsZero(), len(v.steps) > 0, v.start.Do == Start
	}()
	for _, m := range members {
		v.facts[alive] = v.facts[alive] || !m.dead()
		v.facts[served] = v.facts[served] || m.Serving() && m.IsReady()
	}
	switch {
	case d.goal.Stop:
		d.stop(members)
		return v
	case n == d.goal.Workers:
		d.judgeOutside(members, &v)
	default:
		d.judgeSlot(n, members, &v)
	}
	d.findFault(members, &v)
	return v
}

// judgeOutside removes members that have no slot.
func (d *decision) judgeOutside(members []*Member, v *verdict) {
	for _, m := range members {
		v.facts[undone] = v.facts[undone] || m.Serving()
		d.remove(m)
	}
}

func (d *decision) judgeSlot(n int, members []*Member, v *verdict) {
	s := d.slot(n, members)
	v.facts[untried], v.facts[recycling] = !s.trialPassed, s.successor != nil
	v.facts[undone] = !d.isDone(&s)
	v.surge = d.surgePlaces(&s)
	d.decideSlot(&s)
}

// findFault finds what fails a first start or a rollout.
func (d *decision) findFault(members []*Member, v *verdict) {
	switch {
	case !d.goal.Established:
		v.fault = d.stillborn(members)
	case d.rollingOut:
		v.fault, v.reason, v.facts[overdue] = d.failed(members)
	case d.goal.RollingBack:
	case d.goal.Unproven:
		v.fault, v.facts[proven] = d.frail(members)
	}
	v.facts[failed] = v.fault != nil && !v.facts[overdue]
}
