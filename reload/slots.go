package reload

import (
	"cmp"
	"slices"
)

// rota is the members by slot, those of a slot by id.
type rota struct {
	order []*Member
	from  []int // slot n is order[from[n]:from[n+1]]; the last is of no slot
}

// group sorts by counting: a rota of 10,000 is asked after every event.
func group(members []Member, workers int) rota {
	place := func(m *Member) int {
		if m.Slot < 0 || m.Slot >= workers {
			return workers
		}
		return m.Slot
	}
	r := rota{order: make([]*Member, len(members)), from: make([]int, workers+2)}
	for i := range members {
		r.from[place(&members[i])+1]++
	}
	for n := range workers + 1 {
		r.from[n+1] += r.from[n]
	}
	free := slices.Clone(r.from)
	for i := range members {
		n := place(&members[i])
		r.order[free[n]] = &members[i]
		free[n]++
	}
	for n := range workers + 1 {
		sortByID(r.order[r.from[n]:r.from[n+1]])
	}
	return r
}

func sortByID(members []*Member) {
	if len(members) > 1 {
		slices.SortFunc(members, func(a, b *Member) int { return cmp.Compare(a.ID, b.ID) })
	}
}

func (r rota) slot(n int) []*Member { return r.order[r.from[n]:r.from[n+1]] }
func (r rota) outside() []*Member   { return r.order[r.from[len(r.from)-2]:] }

// slot is who stays in a slot.
type slot struct {
	number  int
	members []*Member // all, by id

	target  *Member // the best serving member of the target generation
	heir    *Member // beside a target that expires, its successor until that is ready
	other   *Member // the best of another generation, as long as the target is not settled
	settled bool    // the target can do without any other
}

// look chooses who stays in slot n.
func (d *decision) look(n int) slot {
	s := slot{number: n, members: d.rota.slot(n)}
	for _, m := range s.members {
		switch {
		case !m.serving():
		case m.Generation == d.target:
			s.target = d.better(s.target, m)
		case m.Generation == d.goal.Generation || m.isReady():
			s.other = d.better(s.other, m)
		}
	}
	if s.settled = s.target != nil && d.settled(s.target); s.settled {
		s.other = nil
	}
	if s.target != nil && d.expired(s.target) {
		s.heir = s.starting(s.target)
	}
	return s
}

// settled: a new worker that has been ready for MinUptime; outside a roll the
// generation is proven, and ready is enough.
func (d *decision) settled(m *Member) bool {
	if !m.isReady() {
		return false
	}
	return !d.rolling || d.due(m.Ready.Add(span(d.policy.MinUptime)))
}

// better is the one of two serving members to keep, b being the younger: who
// serves rather than who starts, who is of the proven generation; then the
// younger if both serve, and the one that has started first if neither does.
func (d *decision) better(a, b *Member) *Member {
	switch {
	case a == nil:
		return b
	case a.isReady() != b.isReady():
		return pick(a.isReady(), a, b)
	case a.Generation != b.Generation:
		return pick(a.Generation == d.goal.Generation, a, b)
	}
	return pick(!a.isReady(), a, b)
}

func pick(first bool, a, b *Member) *Member {
	if first {
		return a
	}
	return b
}

// starting is the first member beside target that is on its way to replace it.
func (s *slot) starting(target *Member) *Member {
	for _, m := range s.members {
		if m != target && m.serving() && m.Generation == target.Generation && !m.isReady() {
			return m
		}
	}
	return nil
}

// last is the slot's youngest member of that generation, alive or dead.
func (s *slot) last(generation int) *Member {
	for _, m := range slices.Backward(s.members) {
		if m.Generation == generation {
			return m
		}
	}
	return nil
}

func (s *slot) stays(m *Member) bool { return m == s.target || m == s.heir || m == s.other }

// vacant: nobody is wanted from the proven generation, because the last was
// retired and the slot has not been filled since.
func (d *decision) vacant(s *slot) bool {
	last := s.last(d.goal.Generation)
	return last != nil && last.Retired && !s.settled
}
