package sockets

import (
	"slices"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// Linger is how long a socket stays open after its last holder has closed it. It may be
// asked for again meanwhile: by the same worker, or by the successor of one that closed
// it when it exited.
const Linger = time.Second

// deadline is the time when an entry is closed, unless that was cancelled.
type deadline struct {
	entry *entry
	at    time.Time
}

// lingers reports whether d still holds.
func (t *Table) lingers(d deadline) bool {
	return t.byID[d.entry.id] == d.entry && d.entry.closeAt.Equal(d.at)
}

// Closed records that a holder has closed socket id. A socket that nobody holds is
// closed after Linger.
func (t *Table) Closed(id, socket int, now time.Time) {
	if e := t.unhold(id, socket); e != nil {
		t.closeUnheld(e, now)
	}
}

// Withdraw takes back an answer with a socket that could not be delivered: the caller
// doesn't hold the socket. A socket that was opened for it is closed after Linger.
func (t *Table) Withdraw(a Answer, now time.Time) {
	if e := t.unhold(a.Holder, a.Socket.ID); e != nil && a.bound {
		t.closeUnheld(e, now)
	}
}

// unhold returns nil if the holder doesn't hold the socket, or only waits for it: the
// id of a socket is known to nobody before it is bound.
func (t *Table) unhold(id, socket int) *entry {
	h := t.holders[id]
	if h == nil || h.held[socket] == nil || h.held[socket].fd == nil {
		return nil
	}
	e := h.held[socket]
	h.unhold(e)
	return e
}

func (t *Table) closeUnheld(e *entry, now time.Time) {
	if e.holders > 0 || !e.closeAt.IsZero() {
		return
	}
	e.closeAt, t.abandoned = now.Add(Linger), true
	t.lingering = append(t.lingering, deadline{e, e.closeAt})
}

// NextExpiry returns when CloseExpired is to be called next; the zero time if there is
// nothing to wait for.
func (t *Table) NextExpiry() time.Time {
	for len(t.lingering) > 0 && !t.lingers(t.lingering[0]) {
		t.lingering = t.lingering[1:]
	}
	if len(t.lingering) == 0 {
		t.lingering = nil
		return time.Time{}
	}
	return t.lingering[0].at
}

// CloseExpired closes the sockets that nobody has held for Linger.
func (t *Table) CloseExpired(now time.Time) {
	for next := t.NextExpiry(); !next.IsZero() && !next.After(now); next = t.NextExpiry() {
		t.remove(t.lingering[0].entry)
	}
}

// closeLingering closes the sockets that linger at a place, where they are in the way
// of a bind. It reports whether there was one.
func (t *Table) closeLingering(place string) (closed bool) {
	t.lingering = slices.DeleteFunc(t.lingering, func(d deadline) bool {
		if !t.lingers(d) {
			return true
		}
		if d.entry.place() != place {
			return false
		}
		t.remove(d.entry)
		closed = true
		return true
	})
	return closed
}

// Release removes a holder that is gone. Its sockets stay open for its successor, also
// those that it closed before: a program closes its listeners when it exits.
func (t *Table) Release(id int) {
	h := t.holders[id]
	if h == nil {
		return
	}
	delete(t.holders, id)
	t.abandoned = true
	for _, e := range h.asked {
		h.unhold(e)
		delete(e.askers, id)
		e.closeAt = time.Time{}
	}
}

// CloseUnused closes the sockets that no holder for whom serving is true has asked for,
// and returns them. Their FD is closed.
func (t *Table) CloseUnused(serving func(id int) bool) (closed []Socket) {
	serves := map[int]bool{}
	for id := range t.holders {
		serves[id] = serving(id)
	}
	for _, e := range t.byID {
		if e.fd != nil && !e.late && !e.wanted(serves) {
			closed = append(closed, e.socket())
			t.remove(e)
		}
		e.late = false
	}
	return closed
}

func (e *entry) wanted(serves map[int]bool) bool {
	for id := range e.askers {
		if serves[id] {
			return true
		}
	}
	return false
}

// RefuseClients refuses new connections at the listening sockets that nobody else has: not those of
// a supervisor, of a predecessor, or of a successor. It is called when the workers stop:
// these accept what waits in their queues, which CloseAll alone would reset.
func (t *Table) RefuseClients() {
	if t.refuses {
		return
	}
	t.refuses = true
	for _, e := range t.byID {
		if e.own && e.fd != nil && !e.key.Packet && !e.key.isMasters() {
			for _, fd := range e.all() {
				_ = descriptor.Refuse(fd.Int()) // fails if the program has bound it to an interface: as without
			}
		}
	}
}

// CloseAll closes all sockets of holders. Binds that are under way go on.
func (t *Table) CloseAll() {
	t.refuses = false
	t.closeWhere(func(e *entry) bool { return !e.key.isMasters() })
}

func (t *Table) closeWhere(chosen func(*entry) bool) {
	for _, e := range t.byID {
		if e.fd != nil && chosen(e) {
			t.remove(e)
		}
	}
}

// Close closes all sockets, and those that were inherited from a predecessor. The table
// must not be used any more.
func (t *Table) Close() {
	t.closeWhere(func(*entry) bool { return true })
	t.inherited.close()
}
