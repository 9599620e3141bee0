package master

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/wire"
)

// maxSockets bounds what one worker may have asked for.
const maxSockets = 4096

// listen answers a worker's Listen: from the table, or after a bind that runs
// elsewhere.
func (l *loop) listen(m *member, p link.Packet) error {
	var ask bind.Request
	if err := p.Decode(&ask); err != nil {
		return err
	}
	if !m.serving() {
		l.refuse(m, p.Call, ask, os.ErrClosed)
		return nil
	}
	if len(m.held) >= maxSockets {
		l.refuse(m, p.Call, ask, os.NewSyscallError("socket", syscall.EMFILE))
		return nil
	}
	if allow := m.gen.cfg.Allow; allow != nil {
		l.work(func() func() {
			err := callUser("Config.Allow", l.log, func() error { return allow(m.worker, ask.Network, ask.Address) })
			return func() { l.allowed(m, p.Call, ask, err) }
		})
		return nil
	}
	l.handOut(m, p.Call, ask)
	return nil
}

// allowed goes on after Config.Allow has spoken.
func (l *loop) allowed(m *member, call uint32, ask bind.Request, err error) {
	if err != nil {
		l.refuse(m, call, ask, forbidden(err))
		return
	}
	if m.linkOpen {
		l.handOut(m, call, ask)
	}
}

// forbidden gives an error of Config.Allow that says os.ErrPermission the errno that
// says it to the worker too: a link carries no other.
func forbidden(err error) error {
	var errno syscall.Errno
	if errors.Is(err, os.ErrPermission) && !errors.As(err, &errno) {
		return &bindError{err.Error(), syscall.EACCES}
	}
	return err
}

// bindError is an errno in somebody's own words.
type bindError struct {
	text  string
	errno syscall.Errno
}

func (e *bindError) Error() string { return e.text }
func (e *bindError) Unwrap() error { return e.errno }

// handOut gives a worker the socket, now or when it is bound.
func (l *loop) handOut(m *member, call uint32, ask bind.Request) {
	key := l.sockets.keyOf(m, ask)
	w := waiter{member: m, call: call, again: m.holds(key)}
	s := l.sockets.byKey[key]
	if s == nil {
		s = l.sockets.open(key)
		l.bind(s, ask)
	}
	m.hold(s)
	m.asked[s.id] = s
	s.closeAt = time.Time{}
	switch {
	case s.fd == nil:
		s.waiting = append(s.waiting, w)
	case w.again:
		l.clash(s, w, ask)
	default:
		l.give(s, w)
	}
}

func (l *loop) bind(s *socket, ask bind.Request) {
	again := request{Request: ask, index: s.key.index}
	again.Address = l.sockets.address(s, ask)
	l.work(func() func() {
		b, err := l.sys.bind(l.ctx, again)
		if err != nil && again.Address != ask.Address {
			again.Address = ask.Address // somebody else has the port now
			b, err = l.sys.bind(l.ctx, again)
		}
		return func() { l.bound(s, ask, b, err) }
	})
}

// bound answers all who waited for a bind. One that failed is forgotten at once.
func (l *loop) bound(s *socket, ask bind.Request, b bound, err error) {
	if errors.Is(err, syscall.EADDRINUSE) && l.makeWay(ask, err) {
		l.bind(s, ask)
		return
	}
	waiting := s.waiting
	s.waiting = nil
	if err != nil {
		l.drop(s)
		for _, w := range waiting {
			w.member.unhold(s)
			l.refuse(w.member, w.call, ask, err)
		}
		return
	}
	l.sockets.bound(s, b, ask)
	for _, w := range waiting {
		if w.again {
			l.clash(s, w, ask)
		} else {
			l.give(s, w)
		}
	}
	l.closeUnheld(s)
}

// clash refuses a worker a socket that it has: in the words of the system, which is
// asked for them. Where the system would allow it (a multicast address, a socket that
// was given to this process), the rota does not.
func (l *loop) clash(s *socket, w waiter, ask bind.Request) {
	l.work(func() func() {
		b, err := l.sys.bind(l.ctx, request{Request: ask, index: s.key.index, again: true})
		if err == nil {
			b.close()
			err = os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
		return func() { l.refuse(w.member, w.call, ask, err) }
	})
}

// give sends a worker its own descriptor of the socket, non-blocking whatever
// another worker has done to it.
func (l *loop) give(s *socket, w waiter) {
	m := w.member
	if !m.linkOpen {
		return
	}
	fd, err := s.fd.Dup()
	if err == nil {
		err = fd.SetNonblock()
	}
	if err != nil {
		m.unhold(s)
		l.refuse(m, w.call, bind.Request{Network: s.key.network, Address: s.key.address}, err)
		return
	}
	body := wire.Body(wire.SocketBody{ID: s.id})
	_ = m.process.link.Send(wire.Frame{Type: wire.Socket, Call: w.call, Body: body}, fd)
	m.listening = true
	m.publish()
	a := addressOf(s.key.network, s.addr)
	l.m.events.Emit(m.worker.source, func(e *Events) {
		if e.Listening != nil {
			e.Listening(m.worker, a)
		}
	})
}

// refuse answers with an error that looks as if it came from net.Listen.
func (l *loop) refuse(m *member, call uint32, ask bind.Request, err error) {
	if m.process == nil || !m.linkOpen {
		return
	}
	if _, ok := err.(*net.OpError); !ok {
		err = &net.OpError{Op: "listen", Net: ask.Network, Addr: asked{ask}, Err: err}
	}
	_ = m.process.link.Send(wire.Frame{Type: wire.Failed, Call: call, Body: wire.Body(neterr.Encode(err))})
}

// asked is an address as a worker wrote it.
type asked struct{ bind.Request }

func (a asked) Network() string { return a.Request.Network }
func (a asked) String() string  { return a.Address }

// closed: the program of a worker has closed a socket. What a draining worker
// closes is the drain's business.
func (l *loop) closed(m *member, p link.Packet) error {
	var body wire.ClosedBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	s := m.held[body.ID]
	if s == nil || !m.serving() {
		return nil
	}
	m.unhold(s)
	l.closeUnheld(s)
	return nil
}

// closeUnheld closes a socket that every worker has closed, after a moment in which
// it may be asked for again, by the same worker or by the successor of one that
// closed it on its way out.
func (l *loop) closeUnheld(s *socket) {
	if l.holders(s) > 0 || !s.closeAt.IsZero() {
		return
	}
	s.closeAt = time.Now().Add(closeLinger)
	due := s.closeAt
	l.after(closeLinger, func() {
		if l.sockets.byID[s.id] == s && s.closeAt.Equal(due) {
			l.drop(s)
		}
	})
}

// makeWay closes the sockets that every worker has closed, and that are only open for
// a moment more, where one may be in the way of a bind: to the program it is closed.
func (l *loop) makeWay(ask bind.Request, inUse error) (made bool) {
	place := placeOf(ask, inUse)
	for _, s := range l.sockets.byID {
		if !s.closeAt.IsZero() && s.fd != nil && s.place() == place {
			l.drop(s)
			made = true
		}
	}
	return made
}

func (l *loop) holders(s *socket) (n int) {
	for _, m := range l.members {
		if m.held[s.id] != nil {
			n++
		}
	}
	return n
}

// release takes a dead worker off its sockets, which stay open for its successor:
// also those that it closed on its way out.
func (l *loop) release(m *member) {
	for id, s := range m.asked {
		if l.sockets.byID[id] == s {
			s.closeAt = time.Time{}
		}
	}
	clear(m.held)
	clear(m.keys)
}

// sweep closes the sockets that no serving worker has asked for. It is time for it
// when a reload has completed, and when nobody is left.
func (l *loop) sweep() {
	for _, s := range l.sockets.byID {
		if s.fd != nil && !l.wanted(s) {
			l.log.Info("rota: socket closed, the new generation doesn't want it", "network", s.key.network, "address", s.addr.String())
			l.drop(s)
		}
	}
}

func (l *loop) wanted(s *socket) bool {
	for _, m := range l.members {
		if m.serving() && m.asked[s.id] != nil {
			return true
		}
	}
	return false
}

// drop closes a socket, and nobody remembers it.
func (l *loop) drop(s *socket) {
	l.sockets.remove(s)
	for _, m := range l.members {
		delete(m.asked, s.id)
	}
}

// closeAtStop closes the sockets of a rota that stops as soon as its last worker leaves:
// who connects now is refused, and not kept in a queue that nobody will read.
func (l *loop) closeAtStop() {
	stops := len(l.leaving) > 0 || l.pool != nil && l.pool.goal.Stop
	for _, m := range l.members {
		if !stops || m.serving() {
			return
		}
	}
	l.closeSockets()
}

func (l *loop) closeSockets() {
	for _, s := range l.sockets.byID {
		if s.fd != nil {
			l.drop(s)
		}
	}
}
