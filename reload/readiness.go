package reload

import (
	"maps"
	"slices"
	"time"
)

// acceptPause is how long after its latest first Accept a worker is assumed to
// accept on no further address.
const acceptPause = time.Second

// Readiness decides when workers that do not call Ready themselves are ready. It
// keeps the addresses that each worker accepts on, and compares a new worker of a
// slot with the last that became ready there and still serves, or if none does,
// with the last that served. A new worker of a slot that has never been served is
// compared with one of another slot.
//
// The caller reports what happens by Accept, Ready, Gone and Inherit, and asks
// IsReady. The zero value knows of no worker.
type Readiness struct {
	workers map[int]*acceptor   // by id: those that are starting or serving
	ready   map[int][]*acceptor // by slot: those that serve, the last ready last; or the last that served
	other   *acceptor           // for slots that have never been served; nil: not chosen
}

// acceptor is the addresses that one worker accepts on.
type acceptor struct {
	id        int // 0: a predecessor's worker
	addresses map[string]bool
	latest    time.Time // of its first Accepts
}

// Accept reports a worker's call of Accept on an address. It returns whether it is
// the worker's first there; only then IsReady may answer differently.
func (r *Readiness) Accept(id int, address string, now time.Time) (first bool) {
	a := r.worker(id)
	if a.addresses[address] {
		return false
	}
	a.addresses[address], a.latest = true, now
	return true
}

// Ready reports that a worker of slot is ready, for whatever reason. New workers
// of the slot are compared with it. Reporting it again has no effect.
func (r *Readiness) Ready(id, slot int) {
	if a := r.worker(id); !slices.Contains(r.ready[slot], a) {
		r.serve(slot, a)
	}
}

// Gone reports that a worker of slot has stopped serving. Its addresses are kept if there
// is no other worker to compare with.
func (r *Readiness) Gone(id, slot int) {
	a, ok := r.workers[id]
	if !ok {
		return
	}
	delete(r.workers, id)
	if ready := r.ready[slot]; len(ready) > 1 {
		r.ready[slot] = slices.DeleteFunc(ready, func(other *acceptor) bool { return other == a })
	}
}

// Inherit reports on which addresses a slot was served by another master.
func (r *Readiness) Inherit(slot int, addresses []string) {
	a := &acceptor{addresses: map[string]bool{}}
	for _, address := range addresses {
		a.addresses[address] = true
	}
	r.serve(slot, a)
}

// Served returns on which addresses each slot is served or was served last, sorted,
// for the Inherit of another master.
func (r *Readiness) Served() map[int][]string {
	all := map[int][]string{}
	for slot := range r.ready {
		all[slot] = slices.Sorted(maps.Keys(r.last(slot).addresses))
	}
	return all
}

// IsReady reports whether a worker of slot is ready. It is ready when it accepts on
// every address of the worker that it is compared with, or at its first Accept if
// there is none. A new version may have dropped an address, so it is also ready a
// second after its latest first Accept; wake says when that is, if nothing else
// happens. A worker that has accepted on nothing is not ready. While the rota is
// not established a slot is compared with itself only.
func (r *Readiness) IsReady(id, slot int, established bool, now time.Time) (ready bool, wake time.Time) {
	a, ok := r.workers[id]
	if !ok {
		return false, time.Time{}
	}
	if a.acceptsAllOf(r.expected(slot, established)) {
		return true, time.Time{}
	}
	if wake = a.latest.Add(acceptPause); wake.After(now) {
		return false, wake
	}
	return true, time.Time{}
}

func (r *Readiness) worker(id int) *acceptor {
	if r.workers == nil {
		r.workers = map[int]*acceptor{}
	}
	if r.workers[id] == nil {
		r.workers[id] = &acceptor{id: id, addresses: map[string]bool{}}
	}
	return r.workers[id]
}

// serve makes a the last of its slot that became ready.
func (r *Readiness) serve(slot int, a *acceptor) {
	if r.ready == nil {
		r.ready = map[int][]*acceptor{}
	}
	r.ready[slot] = slices.DeleteFunc(append(r.ready[slot], a), func(o *acceptor) bool {
		return o != a && r.workers[o.id] != o // has gone, and was kept until now
	})
	r.other = nil
}

// expected returns the worker that a new one of slot is compared with; nil: none.
func (r *Readiness) expected(slot int, established bool) *acceptor {
	if a := r.last(slot); len(a.addresses) > 0 {
		return a
	}
	if established {
		return r.chooseOther()
	}
	return nil
}

// last returns the worker that served slot last.
func (r *Readiness) last(slot int) *acceptor {
	if ready := r.ready[slot]; len(ready) > 0 {
		return ready[len(ready)-1]
	}
	return &acceptor{}
}

// chooseOther returns the worker of the lowest slot that accepts on anything. It
// looks again only after another worker has become ready.
func (r *Readiness) chooseOther() *acceptor {
	if r.other != nil {
		return r.other
	}
	for _, slot := range slices.Sorted(maps.Keys(r.ready)) {
		if a := r.last(slot); len(a.addresses) > 0 {
			r.other = a
			break
		}
	}
	return r.other
}

// acceptsAllOf compares the numbers first: until they allow it, the addresses
// need not be looked at.
func (a *acceptor) acceptsAllOf(other *acceptor) bool {
	if other == nil || len(a.addresses) < len(other.addresses) {
		return other == nil
	}
	for address := range other.addresses {
		if !a.addresses[address] {
			return false
		}
	}
	return true
}
