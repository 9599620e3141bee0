package sockets

import "github.com/rota-go/rota/internal/bind"

// MaxHeld bounds how many sockets a holder may have asked for that are still open.
const MaxHeld = 4096

// maxOpen bounds how many sockets are open. Each costs the master about a kilobyte.
const maxOpen = 4 * MaxHeld

// maxKnown bounds what a table keeps of sockets that are not open.
const maxKnown = 1024

// Full reports whether a holder may not have a socket more: it has asked for as many as it
// may, or as many are open as may be, of its generation or in all, also without those that
// nobody needs. What the first holders asked for is opened even then.
func (t *Table) Full(id int, r bind.Request) bool {
	h := t.holder(id)
	if len(h.asked) >= t.share() {
		return true
	}
	key := h.keyOf(r)
	if t.byKey[key] != nil || !t.isCrowded(h) {
		return false
	}
	t.makeRoom()
	return t.isCrowded(h) && !t.isOfStart(key)
}

// isCrowded reports whether no socket more may be open, or none that a holder of h's
// generation opens.
func (t *Table) isCrowded(h *holder) bool {
	return t.limit > 0 && (len(t.byID) >= t.limit || t.opened[h.generation] >= t.generationShare())
}

// generationShare is how many sockets of one generation may be open: three quarters of all,
// so that the next one can open others.
func (t *Table) generationShare() int { return t.limit - t.limit/4 }

// isOfStart reports whether the program, or its configuration, needs the socket of key: not
// one of any number that a holder may have at the same address.
func (t *Table) isOfStart(key Key) bool { return key.Index == 0 && t.known[key] }

// share is how many sockets one holder may have asked for: half of all at most, so that one
// alone doesn't keep the others from theirs.
func (t *Table) share() int {
	if t.limit == 0 {
		return MaxHeld
	}
	return max(min(MaxHeld, t.limit/2), 1)
}

// makeRoom closes the sockets that linger, and those whose holders are all gone, but not
// those that holders asked for in the beginning.
func (t *Table) makeRoom() {
	if t.abandoned {
		t.abandoned = false
		t.closeAbandoned(func(e *entry) bool { return !t.isOfStart(e.key) || !e.closeAt.IsZero() })
	}
}

// hasAbandoned reports whether there is a socket whose holders are all gone.
func (t *Table) hasAbandoned() bool {
	for _, e := range t.byID {
		if e.isAbandoned() {
			return true
		}
	}
	return false
}

// abandonedAsks returns the sockets whose holders are all gone, by id, with how many times each
// was asked for.
func (t *Table) abandonedAsks() map[int]int {
	asks := map[int]int{}
	for id, e := range t.byID {
		if e.isAbandoned() {
			asks[id] = e.asks
		}
	}
	return asks
}

// isAbandoned reports whether the holders of e are all gone, or it lingers.
func (e *entry) isAbandoned() bool {
	return e.fd != nil && (len(e.askers) == 0 || e.holders == 0 && !e.closeAt.IsZero())
}

// isSpare reports whether e was opened for a holder with a user of its own, and is none that
// the program needs.
func (t *Table) isSpare(e *entry) bool { return e.foreign && !t.isOfStart(e.key) }

// closeAbandoned closes the sockets that are abandoned and chosen, and returns how many.
func (t *Table) closeAbandoned(chosen func(*entry) bool) (n int) {
	for _, e := range t.byID {
		if e.isAbandoned() && chosen(e) {
			t.remove(e)
			n++
		}
	}
	return n
}

// forgetPorts bounds the ports that are remembered of sockets that are closed.
func (t *Table) forgetPorts() {
	if len(t.ports) <= len(t.byKey)+maxKnown {
		return
	}
	for key := range t.ports {
		if t.byKey[key] == nil && !t.isOfStart(key) {
			delete(t.ports, key)
		}
	}
}
