package reload

import "time"

// Next returns what to do now, and when to ask again if nothing happens before.
// A zero wake means only after an event. The caller carries out all steps, as
// their [Action] says, and asks again until there are none: then wake counts.
//
// Next is pure: it changes nothing, and for the same goal, members (in any order)
// and time it returns the same steps in the same order.
func (p Policy) Next(goal Goal, members []Member, now time.Time) (steps []Step, wake time.Time) {
	d := p.decision(goal, members, now)
	switch {
	case goal.Stopped:
	case goal.Stop:
		d.stop()
	case d.changeGoal():
		// All other steps depend on the goal: the caller asks again.
	default:
		d.decideSlots()
	}
	return d.steps, d.wake
}

// decision returns what a call of Next begins with.
func (p Policy) decision(goal Goal, members []Member, now time.Time) *decision {
	goal.Workers = max(goal.Workers, 0)
	d := &decision{policy: p.WithDefaults(), goal: goal, now: now, target: goal.Generation, members: members}
	if goal.Next != 0 && goal.Established {
		d.rollingOut, d.target = true, goal.Next
	}
	if goal.Superseded {
		d.patience = max(soon, patienceFactor*slowestStart(members))
	}
	d.grace = d.policy.graceOf(goal)
	d.rota = group(members, goal.Workers)
	return d
}

// decision is one call of Next under way.
type decision struct {
	policy     Policy // with defaults
	goal       Goal
	now        time.Time
	target     int  // the generation that every slot should come to
	rollingOut bool // Goal.Next
	members    []Member
	rota       rota          // the same, in order
	patience   time.Duration // of Goal.Superseded with a worker that isn't ready
	grace      time.Duration // of a drain that begins now

	steps []Step
	wake  time.Time

	places    int            // for workers beyond one a slot
	trying    int            // canaries are on trial in so many slots, the lowest; 0: none is
	surge     int            // workers beyond one a slot
	recycling int            // slots with a member to recycle and its successor
	pending   []pendingStart // in the order of their slots
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
func (d *decision) decideSlots() {
	d.trySlots()
	for n := range d.goal.Workers {
		d.decideSlot(n)
	}
	for _, m := range d.rota.outside() {
		d.remove(m)
	}
	for _, start := range d.pending {
		d.startIfPlace(start)
	}
}

// startIfPlace starts a worker if there is a place in the surge. To recycle, it
// must be the only one, and not too many may drain already.
func (d *decision) startIfPlace(start pendingStart) {
	if d.surge >= d.places || start.recycle && !d.mayRecycle() {
		return
	}
	d.surge++
	if start.recycle {
		d.recycling++
	}
	d.steps = append(d.steps, start.Step)
}

func (d *decision) mayRecycle() bool {
	if d.recycling > 0 {
		return false
	}
	draining := Draining(d.members)
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
	case m.serving():
		d.limit(Disconnect, m)
	default:
		d.force(m)
	}
}
