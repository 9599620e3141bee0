// Package readiness decides when workers are ready that don't say so themselves: from the addresses that they
// accept on, and those of the workers before them.
package readiness

import (
	"maps"
	"slices"
	"time"

	"github.com/rota-go/rota/reload"
)

// acceptPause is how long after its latest first Accept a worker is assumed to
// accept on a further address soon.
const acceptPause = time.Second

// Record decides when workers that do not call Ready themselves are ready. It
// keeps the addresses that each worker accepts on, and compares a new worker of a
// slot with the last that became ready there and still serves, or if none does,
// with the last that served. A new worker of a slot that has never been served is
// compared with one of another slot.
//
// The caller reports what happens by Ask, Accept, Closed, Ready, Gone and Inherit, and
// asks IsReady. Of a Member these read ID, Slot and Started. The zero value knows of no
// worker.
type Record struct {
	workers map[int]*acceptor   // by id: those that are starting or serving
	ready   map[int][]*acceptor // by slot: those that serve, the last ready last; or the last that served
	other   *acceptor           // for slots that have never been served; nil: not chosen
}

// Ask reports that a worker has got the socket of an address, or has got it again after
// it has closed it.
func (r *Record) Ask(m *reload.Member, address string) { r.worker(m).open(address) }

// Accept reports a worker's call of Accept on an address. It returns whether it is
// the worker's first there; only then IsReady may answer differently.
func (r *Record) Accept(m *reload.Member, address string, now time.Time) (first bool) {
	return r.worker(m).accept(address, now)
}

// Closed reports that a worker has closed an address.
func (r *Record) Closed(m *reload.Member, address string, now time.Time) {
	a := r.worker(m)
	a.close(address, now)
	var awaited *acceptor
	if !slices.Contains(r.ready[m.Slot], a) {
		awaited = r.expected(m.Slot, true)
	}
	a.forgetClosed(awaited, now)
}

// Ready reports that a worker is ready, for whatever reason. New workers of its slot
// are compared with it. Reporting it again has no effect.
func (r *Record) Ready(m *reload.Member) {
	if a := r.worker(m); !slices.Contains(r.ready[m.Slot], a) {
		a.doWithout(r.last(m.Slot))
		r.serve(m.Slot, a)
	}
}

// Gone reports that a worker has stopped serving. Its addresses are kept if there is no
// other worker to compare with, with those that it has closed at its end.
func (r *Record) Gone(m *reload.Member, now time.Time) {
	a, ok := r.workers[m.ID]
	if !ok {
		return
	}
	delete(r.workers, m.ID)
	a.leave(now)
	if ready := r.ready[m.Slot]; len(ready) > 1 {
		r.ready[m.Slot] = slices.DeleteFunc(ready, func(other *acceptor) bool { return other == a })
	}
}

// Inherit reports on which addresses a slot was served by another master. needed is what
// that master's Needed says of the slot; nil if it is not known.
func (r *Record) Inherit(slot int, addresses []string, needed map[string]time.Duration) {
	a := &acceptor{uses: map[string]*use{}}
	for _, address := range addresses {
		a.open(address)
		a.accept(address, time.Time{})
		a.uses[address].needed = needed[address]
	}
	r.serve(slot, a)
}

// Served returns on which addresses each slot is served or was served last, sorted,
// for the Inherit of another master.
func (r *Record) Served() map[int][]string {
	all := map[int][]string{}
	for slot := range r.ready {
		all[slot] = slices.Sorted(maps.Keys(r.last(slot).needed()))
	}
	return all
}

// Needed returns how long the worker of each slot took from its start to its first Accept
// on each of the addresses of Served.
func (r *Record) Needed() map[int]map[string]time.Duration {
	all := map[int]map[string]time.Duration{}
	for slot := range r.ready {
		all[slot] = r.last(slot).needed()
	}
	return all
}

// IsReady reports whether a worker is ready. It is ready when it accepts on every
// address of the worker that it is compared with, or at its first Accept if there is
// none. An address that it has closed doesn't count. A new version may have dropped an
// address, so one that it has left unasked is given up; see [reload.Policy.ReadyTimeout]. wake
// says when that is, if nothing else happens. A worker that has accepted on nothing is
// not ready. While the rota is not established a slot is compared with itself only.
func (r *Record) IsReady(m *reload.Member, p reload.Policy, established bool, now time.Time) (ready bool, wake time.Time) {
	a, ok := r.workers[m.ID]
	if !ok || a.latest.IsZero() {
		return false, time.Time{}
	}
	other := r.expected(m.Slot, established)
	if other == nil || a.accepted >= other.required && len(a.missing(other)) == 0 {
		return true, time.Time{}
	}
	if wake = a.latest.Add(acceptPause); wake.After(now) {
		return false, wake
	}
	p = p.WithDefaults()
	patience := patience{started: m.Started, limit: p.ReadyTimeout, alone: r.isAlone(m.Slot)}
	wake, ever := patience.ends(a, other)
	if ever && !wake.After(now) {
		return true, time.Time{}
	}
	return false, wake
}

// Missing returns the addresses that keep a worker from being ready, sorted.
func (r *Record) Missing(m *reload.Member, established bool) []string {
	other := r.expected(m.Slot, established)
	if other == nil {
		return nil
	}
	missing := r.worker(m).missing(other)
	slices.Sort(missing)
	return missing
}

// Update marks the members that have become ready, and returns them, and when to call it
// again if nothing happens before. It reports to r which members are ready or have stopped
// serving.
func (r *Record) Update(members []*reload.Member, p reload.Policy, established bool, now time.Time) (ready []*reload.Member, wake time.Time) {
	for _, m := range members {
		switch {
		case !m.Serving():
			r.Gone(m, now)
		case m.IsReady():
		default:
			is, again := r.decide(m, p, established, now)
			wake = reload.Earlier(wake, again)
			if is {
				m.Ready = now
				r.Ready(m)
				ready = append(ready, m)
			}
		}
	}
	return ready, wake
}

// decide is IsReady, unless the program says itself that it is ready.
func (r *Record) decide(m *reload.Member, p reload.Policy, established bool, now time.Time) (ready bool, wake time.Time) {
	if m.SaysReady || m.WaitReady {
		return m.SaysReady, time.Time{}
	}
	return r.IsReady(m, p, established, now)
}

func (r *Record) worker(m *reload.Member) *acceptor {
	if r.workers == nil {
		r.workers = map[int]*acceptor{}
	}
	if r.workers[m.ID] == nil {
		r.workers[m.ID] = &acceptor{id: m.ID, started: m.Started, uses: map[string]*use{}}
	}
	return r.workers[m.ID]
}

// serve makes a the last of its slot that became ready.
func (r *Record) serve(slot int, a *acceptor) {
	if r.ready == nil {
		r.ready = map[int][]*acceptor{}
	}
	r.ready[slot] = slices.DeleteFunc(append(r.ready[slot], a), func(o *acceptor) bool {
		return o != a && r.workers[o.id] != o // has gone, and was kept until now
	})
	r.other = nil
}

// isAlone reports whether no worker of this master, or of its predecessor, serves slot.
func (r *Record) isAlone(slot int) bool {
	return len(r.ready[slot]) == 0 || r.last(slot).gone
}

// expected returns the worker that a new one of slot is compared with; nil: none.
func (r *Record) expected(slot int, established bool) *acceptor {
	if a := r.last(slot); a.required > 0 {
		return a
	}
	if established {
		return r.chooseOther()
	}
	return nil
}

// last returns the worker that served slot last.
func (r *Record) last(slot int) *acceptor {
	if ready := r.ready[slot]; len(ready) > 0 {
		return ready[len(ready)-1]
	}
	return &acceptor{}
}

// chooseOther returns the worker of the lowest slot that accepts on anything. It
// looks again only after another worker has become ready.
func (r *Record) chooseOther() *acceptor {
	if r.other != nil {
		return r.other
	}
	for _, slot := range slices.Sorted(maps.Keys(r.ready)) {
		if a := r.last(slot); a.required > 0 {
			r.other = a
			break
		}
	}
	return r.other
}
