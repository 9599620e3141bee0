package reload

import "time"

// Next returns what to do now and when to ask again if nothing happens before;
// the zero time means only after an event. The caller carries out all steps, as
// their [Action] says, and asks again until there are none: then wake counts.
//
// Next is pure: it changes nothing, and for the same members in whatever order,
// goal and time it returns the same steps in the same order.
func (p Policy) Next(goal Goal, members []Member, now time.Time) (steps []Step, wake time.Time) {
	goal.Workers = max(goal.Workers, 0)
	d := &decision{policy: p.WithDefaults(), goal: goal, now: now, target: goal.Generation}
	if goal.Next != 0 && goal.Established {
		d.rolling, d.target = true, goal.Next
	}
	d.rota = group(members, goal.Workers)
	switch {
	case goal.Stopped:
	case goal.Stop:
		d.stop()
	case d.judge():
		// The goal changes, and with it all the rest: ask again.
	default:
		d.keep()
	}
	return d.steps, d.wake
}

// decision is one call of Next under way.
type decision struct {
	policy  Policy // with defaults
	goal    Goal
	now     time.Time
	target  int  // the generation that every slot should come to
	rolling bool // to Goal.Next
	rota    rota

	steps []Step
	wake  time.Time

	surge     int    // places in use beyond one a slot
	recycling int    // slots with a member that expires and its successor
	wants     []want // starts that need a place, in the order of their slots
}

// want is a start that waits for a place.
type want struct {
	Step
	recycle bool
}

// due says whether t has come; if not, Next is to be asked again by then.
func (d *decision) due(t time.Time) bool {
	if !t.After(d.now) {
		return true
	}
	if d.wake.IsZero() || t.Before(d.wake) {
		d.wake = t
	}
	return false
}

func (d *decision) do(a Action, m *Member) { d.steps = append(d.steps, Step{Do: a, ID: m.ID}) }

// keep brings every slot closer to one serving member of the target generation.
func (d *decision) keep() {
	for n := range d.goal.Workers {
		d.keepSlot(n)
	}
	for _, m := range d.rota.outside() {
		d.letGo(m)
	}
	for _, w := range d.wants {
		d.grant(w)
	}
}

// grant starts w if there is a place: one of the surge, and for a recycled
// member the only one.
func (d *decision) grant(w want) {
	if d.surge >= d.policy.Surge || w.recycle && d.recycling > 0 {
		return
	}
	d.surge++
	if w.recycle {
		d.recycling++
	}
	d.steps = append(d.steps, w.Step)
}

// letGo ends a member that the rota has no slot for.
func (d *decision) letGo(m *Member) {
	switch {
	case m.dead():
		d.do(Forget, m)
	case m.serving():
		d.do(Disconnect, m)
	default:
		d.force(m)
	}
}
