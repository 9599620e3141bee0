package reload

import (
	"cmp"
	"slices"
	"time"
)

func sortByID(members []*Member) {
	slices.SortFunc(members, func(a, b *Member) int { return cmp.Compare(a.ID, b.ID) })
}

// slot is the members of a slot, and which of them stay.
type slot struct {
	number  int
	members []*Member // all, by id

	target      *Member // the best serving member of the target generation
	successor   *Member // of a target that needs recycling, until it is ready itself
	other       *Member // the best of another generation, until the target has passed its trial
	trialPassed bool    // the target is enough
}

// slot chooses which members of slot n stay.
func (d *decision) slot(n int, members []*Member) slot {
	s := slot{number: n, members: members}
	for _, m := range s.members {
		switch {
		case !m.Serving():
		case m.Generation == d.target:
			s.target = d.better(s.target, m)
		case m.Generation == d.goal.Generation || m.IsReady():
			s.other = d.better(s.other, m)
		}
	}
	s.trialPassed = s.target != nil && d.hasPassedTrial(s.target) && !(d.isPaused() && s.other != nil)
	if s.trialPassed {
		s.other = nil
	}
	if s.target != nil && d.needsRecycling(s.target) {
		s.successor = s.startingBeside(s.target)
	}
	return s
}

// hasPassedTrial reports whether m has been ready for MinUptime, and has given the sign of
// life that it was asked for. Outside a rollout the generation is proven, and ready is enough.
func (d *decision) hasPassedTrial(m *Member) bool {
	if !m.IsReady() {
		return false
	}
	return !d.rollingOut || !d.owesAnswer(m) && d.isTried(m)
}

// trial returns how long m must have been ready: a canary for CanaryTime too.
func (d *decision) trial(m *Member) time.Duration {
	if m.Slot < d.canaries() {
		return max(Sum(d.policy.MinUptime), d.policy.CanaryTime)
	}
	return Sum(d.policy.MinUptime)
}

// owesAnswer reports whether m was asked for a sign of life on trial. If it was asked later,
// its trial is over, whatever it does.
func (d *decision) owesAnswer(m *Member) bool {
	return !m.Asked.IsZero() && m.IsReady() && m.Asked.Sub(m.Ready) < d.trial(m)
}

// better returns which of two serving members to keep, b being the younger: a ready
// one rather than one that is starting, then one of the proven generation, then the
// younger if both are ready and the older if neither is.
func (d *decision) better(a, b *Member) *Member {
	switch {
	case a == nil:
		return b
	case a.IsReady() != b.IsReady():
		return pick(a.IsReady(), a, b)
	case a.Generation != b.Generation:
		return pick(a.Generation == d.goal.Generation, a, b)
	}
	return pick(!a.IsReady(), a, b)
}

func pick(first bool, a, b *Member) *Member {
	if first {
		return a
	}
	return b
}

// startingBeside returns the first member that is starting to replace target.
func (s *slot) startingBeside(target *Member) *Member {
	for _, m := range s.members {
		if m != target && m.Serving() && m.Generation == target.Generation && !m.IsReady() {
			return m
		}
	}
	return nil
}

// last returns the slot's youngest member of that generation, alive or dead.
func (s *slot) last(generation int) *Member {
	for _, m := range slices.Backward(s.members) {
		if m.Generation == generation {
			return m
		}
	}
	return nil
}

func (s *slot) keeps(m *Member) bool { return m == s.target || m == s.successor || m == s.other }

// staysEmpty reports whether no worker of the proven generation is wanted in the
// slot, because its last was retired and a rollout has not filled it since.
func (d *decision) staysEmpty(s *slot) bool {
	last := s.last(d.goal.Generation)
	return last != nil && last.Retired && !s.trialPassed
}

// Receiver returns the id of the member to which the connections of m go when it leaves: a
// ready one of its slot, the latest started if there are several, or else one of another
// slot. It is 0 if there is none.
func Receiver(m Member, members []Member) (id int) {
	var others []*Member
	for i := range members {
		switch o := &members[i]; {
		case o.ID == m.ID || !o.Serving() || !o.IsReady():
		case o.Slot == m.Slot:
			id = max(id, o.ID)
		default:
			others = append(others, o)
		}
	}
	if id > 0 || len(others) == 0 {
		return id
	}
	sortByID(others)
	return others[m.ID%len(others)].ID
}

// Predecessor returns the id of the member that m succeeds in its slot: the latest that is ready and
// lives, of those that were started before m. It is 0 if there is none. An m without an id is a
// member of another master.
func Predecessor(m Member, members []Member) (id int) {
	for i := range members {
		o := &members[i]
		if o.Slot == m.Slot && o.IsReady() && !o.dead() && (m.ID == 0 || o.ID < m.ID) {
			id = max(id, o.ID)
		}
	}
	return id
}
