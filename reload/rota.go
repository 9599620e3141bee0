package reload

import (
	"cmp"
	"slices"
	"time"
)

// Rota is the members of a master in their slots, and what was decided of each slot. [Rota.Next] is
// [Policy.Next] of its members, but looks again only at the slots of members that have changed, and at those
// whose time has come: an event costs as much in a rota of a thousand slots as in one of ten. NewRota makes one. The
// members belong to the caller, who says by Add, Changed and Remove what becomes of them.
type Rota struct {
	places   [][]*Member // of each slot, by id; the last is of the members that have no slot
	tallies  []tally     // of each place
	verdicts []verdict   // of each place
	total    tally

	asked     question // what the verdicts answer
	dirty     set      // places whose verdict is out of date
	unsettled set      // places that Undecided looks at
	facts     [factCount]set
	surge     int       // workers beyond one a slot
	change    time.Time // the earliest verdict.until; zero: none

	decision decision // of the latest Next
}

// question is what the verdict of a slot depends on besides its members and the time.
type question struct {
	policy   Policy
	goal     Goal
	patience time.Duration
}

// NewRota returns a rota of so many slots without members. Next changes the number to Goal.Workers.
func NewRota(workers int) *Rota {
	r := &Rota{}
	r.resize(workers)
	return r
}

// Add adds a member.
func (r *Rota) Add(m *Member) {
	place := &r.places[r.place(m)]
	i, _ := find(*place, m.ID)
	*place = slices.Insert(*place, i, m)
	r.Changed(m)
}

// Remove removes a member.
func (r *Rota) Remove(m *Member) {
	place := &r.places[r.place(m)]
	if i, ok := find(*place, m.ID); ok {
		*place = slices.Delete(*place, i, i+1)
		r.Changed(m)
	}
}

// Changed says that a field of m has changed, which is none of ID, Slot and Generation. If m isn't in
// the rota nothing happens.
func (r *Rota) Changed(m *Member) {
	n := r.place(m)
	now := count(r.places[n])
	r.total.add(r.tallies[n], -1)
	r.total.add(now, 1)
	r.tallies[n] = now
	r.dirty.put(n, true)
	r.unsettled.put(n, true)
}

// Members returns copies of the members, by slot and id; those without a slot are the last.
func (r *Rota) Members() (all []Member) {
	for _, place := range r.places {
		for _, m := range place {
			all = append(all, *m)
		}
	}
	return all
}

// Undecided returns the members of which it isn't known whether they are ready or still serve: those that are
// starting, and those that have stopped serving since the last call.
func (r *Rota) Undecided() (all []*Member) {
	for n := range r.unsettled.all {
		for _, m := range r.places[n] {
			if !m.Serving() || !m.IsReady() {
				all = append(all, m)
			}
		}
		r.unsettled.put(n, r.tallies[n].starting > 0)
	}
	return all
}

// Count returns how many members start, are ready, and drain or have lost their link.
func (r *Rota) Count() (starting, ready, leaving int) {
	return r.total.starting, r.total.ready, r.total.leaving
}

// Draining returns how many members drain.
func (r *Rota) Draining() int { return r.total.draining }

// Served returns how many slots have a member that is ready and serves.
func (r *Rota) Served() int { return r.total.served - r.tallies[r.workers()].served }

// IsSteady reports whether every slot from 0 to workers-1 has a worker that is ready and
// serves, none is starting, and none leaves: what no worker uses now is not used any more.
func (r *Rota) IsSteady(workers int) bool {
	return r.total.starting == 0 && r.total.leaving == 0 && workers == r.workers() && r.Served() == workers
}

func (r *Rota) workers() int { return len(r.places) - 1 }

// place returns where m is in places.
func (r *Rota) place(m *Member) int {
	if m.Slot < 0 || m.Slot >= r.workers() {
		return r.workers()
	}
	return m.Slot
}

// resize changes the number of slots.
func (r *Rota) resize(workers int) {
	before := r.places
	*r = Rota{
		places: make([][]*Member, workers+1), tallies: make([]tally, workers+1), verdicts: make([]verdict, workers+1),
		dirty: newSet(workers + 1), unsettled: newSet(workers + 1),
	}
	for i := range r.facts {
		r.facts[i] = newSet(workers + 1)
	}
	for _, place := range before {
		for _, m := range place {
			r.Add(m)
		}
	}
	r.doubtAll()
}

// doubtAll makes every verdict out of date.
func (r *Rota) doubtAll() {
	for n := range r.places {
		r.dirty.put(n, true)
	}
}

// refresh brings the verdicts up to date.
func (r *Rota) refresh(d *decision) {
	if d.goal.Superseded {
		d.patience = max(soon, patienceFactor*r.SlowestStart())
	}
	if q := (question{d.policy, d.goal, d.patience}); q != r.asked {
		r.asked = q
		r.doubtAll()
	}
	r.doubtDue(d.now)
	for n := range r.dirty.all {
		r.dirty.put(n, false)
		r.enter(n, d.judge(n, r.places[n]))
	}
	r.change = r.earliest()
}

// doubtDue makes the verdicts out of date whose time has come.
func (r *Rota) doubtDue(now time.Time) {
	if r.change.IsZero() || r.change.After(now) {
		return
	}
	for n := range r.facts[timed].all {
		if !r.verdicts[n].until.After(now) {
			r.dirty.put(n, true)
		}
	}
}

func (r *Rota) enter(n int, v verdict) {
	r.surge += v.surge - r.verdicts[n].surge
	r.verdicts[n] = v
	for i := range r.facts {
		r.facts[i].put(n, v.facts[i])
	}
}

// earliest returns when the next verdict may change.
func (r *Rota) earliest() (t time.Time) {
	for n := range r.facts[timed].all {
		t = Earlier(t, r.verdicts[n].until)
	}
	return t
}

// SlowestStart returns how long the slowest of the serving members took to become ready.
func (r *Rota) SlowestStart() (slowest time.Duration) {
	for i := range r.tallies {
		slowest = max(slowest, r.tallies[i].slowest)
	}
	return slowest
}

// first returns the first place of which f is true, and its verdict; ok is false if there is none.
func (r *Rota) first(f fact) (v *verdict, ok bool) {
	for n := range r.facts[f].all {
		return &r.verdicts[n], true
	}
	return nil, false
}

// find returns where the member of that id is, or belongs, in members, which are ordered by id.
func find(members []*Member, id int) (i int, ok bool) {
	if n := len(members); n == 0 || members[n-1].ID < id {
		return n, false
	}
	return slices.BinarySearchFunc(members, id, func(m *Member, id int) int { return cmp.Compare(m.ID, id) })
}
