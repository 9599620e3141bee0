package reload

import "time"

// Next returns what to do now, and when to ask again if nothing happens before.
// The caller carries out all steps, as their [Action] says, and asks again until there
// are none: then wake counts.
//
// Next is pure: it changes nothing, and for the same goal, members (in any order)
// and time it returns the same steps in the same order.
func (p Policy) Next(goal Goal, members []Member, now time.Time) (steps []Step, wake time.Time) {
	return rotaOf(goal, members).Next(p, goal, now)
}

func rotaOf(goal Goal, members []Member) *Rota {
	r := NewRota(max(goal.Workers, 0))
	for i := range members {
		r.Add(&members[i])
	}
	return r
}

// Next is [Policy.Next] of the members of r. It changes none of them.
func (r *Rota) Next(p Policy, goal Goal, now time.Time) (steps []Step, wake time.Time) {
	if goal.Stopped {
		return nil, wake
	}
	d := r.decide(p, goal, now)
	if goal.Stop {
		r.stop(d)
	} else if s, ok := r.changeGoal(d); ok {
		return []Step{s}, r.change // all other steps depend on the goal: the caller asks again
	} else {
		r.decideSlots(d)
	}
	return d.steps, r.change
}

// decide returns what a call of Next begins with: a verdict of every slot.
func (r *Rota) decide(p Policy, goal Goal, now time.Time) *decision {
	goal.Workers = max(goal.Workers, 0)
	if goal.Workers != r.workers() {
		r.resize(goal.Workers)
	}
	d := &r.decision
	*d = decision{policy: p.WithDefaults(), goal: goal, now: now, target: goal.Generation}
	if goal.Next != 0 && goal.Established {
		d.rollingOut, d.target = true, goal.Next
	}
	d.grace = d.policy.graceOf(goal)
	r.refresh(d)
	d.steps = nil
	return d
}

// decision is one call of Next under way.
type decision struct {
	policy     Policy // with defaults
	goal       Goal
	now        time.Time
	target     int           // the generation that every slot should come to
	rollingOut bool          // Goal.Next
	patience   time.Duration // of Goal.Superseded with a worker that isn't ready
	grace      time.Duration // of a drain that begins now

	steps   []Step       // of one slot, and then of all
	wake    time.Time    // of one slot
	pending pendingStart // of one slot
	backoff Backoff      // of one slot
	places  int          // for workers beyond one a slot
	trying  int          // canaries are on trial in so many slots, the lowest; 0: none is
}

// pendingStart is a start that needs one of the surge's places.
type pendingStart struct {
	Step
	recycle bool
}

// reached reports whether it is t or later. If not, Next is to be asked again at t.
func (d *decision) reached(t time.Time) bool {
	if !t.After(d.now) {
		return true
	}
	d.wake = Earlier(d.wake, t)
	return false
}

// Earlier returns the earlier of two times. The zero time is never.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// passed reports whether all the durations have passed since t, one after the other.
func (d *decision) passed(t time.Time, durations ...time.Duration) bool {
	sum := Sum(durations...)
	return sum != NoLimit && d.reached(t.Add(sum))
}

func (d *decision) do(a Action, m *Member) { d.steps = append(d.steps, Step{Do: a, ID: m.ID}) }

// limit does an action that bounds the drain of m.
func (d *decision) limit(a Action, m *Member) {
	d.steps = append(d.steps, Step{Do: a, ID: m.ID, Within: d.grace})
}

// decideSlots brings every slot closer to one serving member of the target
// generation, and removes the members of no slot.
func (r *Rota) decideSlots(d *decision) {
	r.trySlots(d)
	r.act(d)
	surge, recycled := r.surge, false
	for n := range r.facts[waits].all {
		start := r.verdicts[n].start
		switch {
		case surge >= d.places:
			return
		case !d.mayReplace(n) || start.recycle && (recycled || !r.mayRecycle(d)):
			continue
		}
		surge++
		recycled = recycled || start.recycle
		d.steps = append(d.steps, start.Step)
	}
}

// act collects the steps that need no place of the surge.
func (r *Rota) act(d *decision) {
	for n := range r.facts[acts].all {
		d.steps = append(d.steps, r.verdicts[n].steps...)
	}
}

// mayRecycle reports whether no worker is being recycled, and not too many drain.
func (r *Rota) mayRecycle(d *decision) bool {
	if _, ok := r.first(recycling); ok {
		return false
	}
	draining := r.total.draining
	for _, s := range d.steps {
		if s.Do == Disconnect {
			draining++
		}
	}
	return draining < d.policy.maxDraining(d.goal.Workers)
}

// remove ends a member that the rota has no slot for.
func (d *decision) remove(m *Member) {
	switch {
	case m.dead():
		d.do(Forget, m)
	case m.Serving():
		d.limit(Disconnect, m)
	default:
		d.force(m)
	}
}
