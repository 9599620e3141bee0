package sockets

import (
	"context"
	"net"
	"strings"
	"syscall"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/spread"
)

// spreading is what an entry has that may have a queue for each slot: sockets of the same
// address besides entry.fd, which is that of slot 0. They stay open as long as the entry. On
// nil, which is an entry with one queue, the methods do nothing.
type spreading struct {
	beside []*descriptor.FD // of the slots from 1; the table's, which closes them
	grows  bool             // more are being opened
	failed bool             // the last could not be opened
	theirs int              // not 0: so many are the predecessor's, and get all clients until it has left
	watch  spread.Watch
	even   spread.Even
}

// spreads reports whether there may be a queue for each slot.
func spreads(r bind.Request) bool {
	network := "tcp"
	if r.Packet {
		network = "udp"
	}
	return bind.CanSpread && r.Spread == bind.Slots && strings.HasPrefix(r.Network, network)
}

// all returns the descriptors of an entry, by slot: none while a bind is under way.
func (e *entry) all() []*descriptor.FD {
	switch {
	case e.fd == nil:
		return nil
	case e.spread == nil:
		return []*descriptor.FD{e.fd}
	}
	return append([]*descriptor.FD{e.fd}, e.spread.beside...)
}

// queue returns the descriptor with the queue of a slot. Slots without one share those of
// others.
func (e *entry) queue(slot int) *descriptor.FD {
	if e.spread == nil {
		return e.fd
	}
	if i := slot % (len(e.spread.beside) + 1); i > 0 {
		return e.spread.beside[i-1]
	}
	return e.fd
}

func (e *entry) grows() bool { return e.spread != nil && e.spread.grows }

// opened takes the sockets of o that are beside the first.
func (s *spreading) opened(o Opened) {
	if s == nil || !o.own {
		descriptor.CloseAll(o.beside)
		return
	}
	s.beside, s.failed = append(s.beside, o.beside...), false
}

// restore takes a socket of the predecessor: that of slot, unless it is there already. Those of
// lower slots may be missing, where the predecessor was out of descriptors.
func (s *spreading) restore(slot int, fd *descriptor.FD) {
	if s == nil || slot <= len(s.beside) {
		_ = fd.Close() // this process has it already
		return
	}
	s.beside = append(s.beside, fd)
}

// Place records the slot of a holder.
func (t *Table) Place(id, slot int) { t.holder(id).slot = slot }

// lacksQueue reports whether e has no queue yet for the slot of h, and could have one. Those
// that the configuration doesn't have share.
func (t *Table) lacksQueue(e *entry, h *holder) bool {
	s := e.spread
	return s != nil && e.fd != nil && !s.grows && !s.failed && (e.own || e.shared) &&
		h.slot < t.queues && h.slot > len(s.beside)
}

// beside is an order to open sockets beside an open one.
type beside struct {
	first *descriptor.FD // a duplicate, closed by open; nil if that failed
	addr  net.Addr
	have  int
}

// grow returns the Bind that opens what e lacks. Beside the predecessor's queues there is none for
// clients before it has left: this process doesn't accept yet, and may be withdrawn.
func (t *Table) grow(e *entry, r Request) *Bind {
	e.spread.grows = true
	r.Queues = t.queues
	b := &Bind{entry: e, request: r, beside: &beside{addr: e.addr, have: 1 + len(e.spread.beside)}}
	b.beside.first, _ = e.fd.Dup() // without it open fails
	if e.shared && e.spread.theirs == 0 {
		e.spread.theirs = b.beside.have
		t.steer(e) // for a single one keepClients has done it
	}
	return b
}

func (b *beside) open(ctx context.Context, r Request) (Opened, error) {
	if b.first == nil {
		return Opened{}, syscall.EMFILE
	}
	o := Opened{FD: b.first, Addr: b.addr, own: true}
	err := o.open(ctx, r, b.have)
	_ = b.first.Close() // a duplicate
	return o, err
}

// openBeside opens the sockets beside o that r wants. If that fails, it closes o.
func (o *Opened) openBeside(ctx context.Context, r Request) error {
	if r.Queues == 1 {
		o.keepClients(ctx, r)
	}
	err := o.open(ctx, r, 1)
	if err != nil {
		o.Close()
	}
	return err
}

// keepClients has all clients come to o also when a later master opens queues beside it. The kernel
// takes that of a group only, so there is one for a moment, and not from an MPTCP socket, which o may be.
func (o *Opened) keepClients(ctx context.Context, r Request) {
	if more, _ := r.Options.OpenBeside(ctx, o.FD, r.Packet, r.Network, o.Addr.String(), 1); len(more) > 0 {
		_ = spread.Steer(more[0].Int(), spread.First(1), r.Packet)
		_ = more[0].Close()
	}
}

// open opens the sockets of the slots from have on.
func (o *Opened) open(ctx context.Context, r Request, have int) error {
	more, err := r.Options.OpenBeside(ctx, o.FD, r.Packet, r.Network, o.Addr.String(), r.Queues-have)
	o.beside = append(o.beside, more...)
	return err
}

// grown takes the result of a Bind of grow, and answers the calls that waited for it.
func (t *Table) grown(b *Bind, o Opened, err error) (answers []Answer) {
	e, waiting := b.entry, b.entry.waiting
	e.waiting, e.spread.grows = nil, false
	if t.byID[e.id] != e {
		descriptor.CloseAll(o.beside)
		for _, w := range waiting {
			answers = append(answers, Answer{Caller: w.Caller, Request: b.request, Err: net.ErrClosed})
		}
		return answers
	}
	e.spread.opened(o)
	t.changes++
	e.spread.failed = err != nil // until Resize
	t.steer(e)
	for _, w := range waiting {
		answers = append(answers, t.answer(e, w, b.request))
	}
	return answers
}

// Resize says how many slots there are from now on. Sockets get the queues that they lack
// when a holder asks; queues that are too many get no new connections.
func (t *Table) Resize(slots int) {
	t.queues = slots
	for _, e := range t.spread {
		e.spread.failed = false
		e.spread.even.Release()
		t.steer(e)
	}
}

// steer chooses which queues of e get new connections: those of the slots that there are, or of them
// those of the holders that have fewest. What the other master of an upgrade has opened gets none before it
// has taken over.
func (t *Table) steer(e *entry) {
	fds := e.all()
	if len(fds) < 2 {
		return
	}
	last, slots := fds[len(fds)-1].Int(), e.spread.even.Slots()
	switch {
	case e.spread.theirs > 0:
		slots = spread.First(e.spread.theirs)
	case slots == nil && (len(fds) > t.queues || t.missing != nil):
		slots = spread.First(min(max(t.queues, 1), len(fds)))
	}
	if slots == nil || spread.Steer(last, slots, e.key.Packet) != nil { // where it fails, slots help each other: see Server.look
		_ = spread.Unsteer(last) // fails only where Steer does
	}
}

// leave closes the sockets of an entry that are beside the first.
func (t *Table) leave(e *entry) {
	if t.forget != nil {
		for _, fd := range e.all() {
			t.forget(fd.Int())
		}
	}
	if e.spread != nil {
		descriptor.CloseAll(e.spread.beside) // to close a socket that listens doesn't block
		e.spread.beside = nil
	}
}
