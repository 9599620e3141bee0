package sockets

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/socketfile"
)

// Caller identifies a call of a holder.
type Caller struct {
	Holder int
	Call   uint32
}

// Answer is the answer to a call: a socket; a refusal with Err; or, if
// Request.Duplicate, a refusal whose error is yet to be found by DuplicateError.
type Answer struct {
	Caller
	Request Request // the call's; of several calls that waited for one bind, the first's
	Socket  *Socket // nil if the call is refused; the caller holds it
	Err     error

	bound bool // the bind for which the call waited has just succeeded
}

// Request is a socket to open.
type Request struct {
	bind.Request
	Index     int        // of the sockets that one address stands for
	Duplicate bool       // the holder holds the socket: only the error of a second bind is wanted
	User      *bind.User // of the worker that asks; nil if it is this process's
	Queues    int        // how many sockets; 0, 1: one

	inherited inherited
	shut      *descriptor.FD // the socket in whose place it is bound; nil if there is none
}

// Opener opens a socket, as Open does.
type Opener func(context.Context, Request) (Opened, error)

// Bind is a bind to be carried out. The table waits for its result.
type Bind struct {
	entry     *entry
	request   Request
	preferred string          // the address to try first
	beside    *beside         // not nil: only sockets beside an open one are wanted
	after     <-chan struct{} // closed when the file of an earlier socket at this path is unlinked; nil if it is
	pause     time.Duration   // before the address is tried
	until     time.Time       // until when the predecessor's socket is waited for; zero before
}

// An address that the other master of an upgrade may have in use is tried again every comesPause for
// comesWithin: that master has opened the socket meanwhile, or is about to, and sends it.
const (
	comesWithin = 3 * time.Second
	comesPause  = 10 * time.Millisecond
)

// retry returns b, to be run once more, if another master may have the socket and send it.
func (t *Table) retry(b *Bind, now time.Time) *Bind {
	if t.missing != nil {
		t.missing()
	} else if !t.follows {
		return nil
	}
	if b.until.IsZero() {
		b.until = now.Add(comesWithin)
	}
	if b.pause = comesPause; now.After(b.until) {
		return nil
	}
	return b
}

// Run calls open, which may block. The caller passes the result to Bound.
func (b *Bind) Run(ctx context.Context, open Opener) (Opened, error) {
	if b.after != nil {
		select {
		case <-b.after:
		case <-ctx.Done():
			return Opened{}, bind.OpError(b.request.Request, ctx.Err())
		}
	}
	select {
	case <-time.After(b.pause):
	case <-ctx.Done():
		return Opened{}, bind.OpError(b.request.Request, ctx.Err())
	}
	r := b.request
	if b.beside != nil {
		return b.beside.open(ctx, r)
	}
	r.Address = b.preferred
	o, err := open(ctx, r)
	if err != nil && r.Address != b.request.Address {
		return open(ctx, b.request) // somebody else has the port now
	}
	return o, err
}

// DuplicateError returns the error for a holder that asks for a socket that it holds.
// It is the system's, for which open binds the address once more. Where the system
// would allow that (a multicast address, an inherited socket), it is EADDRINUSE.
func DuplicateError(ctx context.Context, open Opener, r Request) error {
	o, err := open(ctx, r)
	if err == nil {
		o.Close()
		return os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	return err
}

// Ask asks for a socket, for a holder with the rights of user. The answer is returned, or there is none and the call waits
// for a bind. If Bind is not nil, it is the caller's to run.
func (t *Table) Ask(c Caller, r bind.Request, user *bind.User) ([]Answer, *Bind) {
	h := t.holder(c.Holder)
	key := h.keyOf(r)
	var shut *descriptor.FD
	if e := t.byKey[key]; e != nil && e.isShut() && !e.revive() {
		shut, _ = e.fd.Dup()
		t.remove(e) // no client gets there any more
		key = h.keyOf(r)
	}
	w := waiter{Caller: c, duplicate: h.keys[key]}
	request := Request{Request: r, Index: key.Index, User: user, inherited: t.inherited, shut: shut}
	e := t.byKey[key]
	var b *Bind
	if e == nil {
		e = t.add(key, h.generation)
		e.foreign = user != nil
		t.setSpread(e, spreads(r))
		b = t.bind(e, request)
	} else if t.lacksQueue(e, h) {
		b = t.grow(e, request)
	}
	h.hold(e)
	e.asks++
	h.asked[e.id], e.askers[c.Holder] = e, h
	e.closeAt = time.Time{}
	if e.fd == nil || e.grows() {
		e.waiting = append(e.waiting, w)
		return nil, b
	}
	return []Answer{t.answer(e, w, request)}, b
}

// isShut reports whether a holder has shut a socket down, as far as another one can be bound
// in its place: not one of a supervisor.
func (e *entry) isShut() bool {
	replaceable := e.own || !e.key.Packet || bind.IsPath(e.key.Network, e.key.Address)
	return e.fd != nil && replaceable && slices.ContainsFunc(e.all(), e.isShutOne)
}

func (e *entry) isShutOne(fd *descriptor.FD) bool { return bind.IsShut(fd.Int(), e.key.Packet, e.addr) }

// revive makes sockets listen again that a holder has shut down. It reports whether the
// other holders can go on with them; if not, they hear of it.
func (e *entry) revive() bool {
	for _, fd := range e.all() {
		if e.isShutOne(fd) && !bind.ReviveSocket(fd.Int(), e.addr, 0) {
			for _, fd := range e.all() {
				bind.EndAccepts(fd.Int())
			}
			return false
		}
	}
	return true
}

func (t *Table) bind(e *entry, r Request) *Bind {
	if e.spread != nil {
		r.Queues = t.queues
	}
	b := &Bind{entry: e, request: r, preferred: t.preferred(e.key, r.Request)}
	if bind.IsPath(r.Network, r.Address) {
		b.after = t.Files.Last(socketfile.Path(r.Request))
	}
	return b
}

// answer returns the answer of an open socket.
func (t *Table) answer(e *entry, w waiter, r Request) Answer {
	a := Answer{Caller: w.Caller, Request: r}
	if w.duplicate {
		a.Request.Duplicate = true
		return a
	}
	s := t.of(e, t.holder(w.Holder))
	a.Socket = &s
	return a
}

// Bound takes the result of b, and o with it. It answers all calls that waited for b.
// If a socket that lingers was in the way of b, it closes that one and returns another
// Bind to run instead; if it may be the predecessor's, one that tries again. If that one
// has come, it is the result. A bind that failed leaves nothing behind.
func (t *Table) Bound(b *Bind, o Opened, err error, now time.Time) ([]Answer, *Bind) {
	e, r := b.entry, b.request
	if b.beside != nil {
		return t.grown(b, o, err), nil
	}
	if errors.Is(err, syscall.EADDRINUSE) && len(e.given) == 0 {
		if t.closeLingering(placeOf(r.Request, err)) {
			return nil, t.bind(e, r)
		}
		if again := t.retry(b, now); again != nil {
			return nil, again
		}
	}
	waiting := e.waiting
	e.waiting = nil
	if r.shut != nil {
		_ = r.shut.Close()
	}
	answers := make([]Answer, 0, len(waiting))
	switch given := e.takeGiven(); {
	case len(given) > 0 && err != nil:
		t.restore(e, given...)
		t.steer(e)
	case err == nil:
		closeRestored(given)
		e.fd, e.addr, e.file, e.own = o.FD, o.Addr, o.file, o.own
		e.cookie = cookie(o.FD.Int())
		e.spread.opened(o)
		t.recordPort(e)
	default:
		t.remove(e)
		for _, w := range waiting {
			answers = append(answers, Answer{Caller: w.Caller, Request: r, Err: err})
		}
		return answers, nil
	}
	t.changes++
	for _, w := range waiting {
		a := t.answer(e, w, r)
		a.bound = true
		answers = append(answers, a)
	}
	t.closeUnheld(e, now)
	return answers, nil
}
