package master

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/wire"
)

// listen handles a worker's request for a socket: Config.Allow is asked, then the table
// of sockets.
func (l *loop) listen(m *member, p link.Packet) error {
	var r bind.Request
	if err := p.Decode(&r); err != nil {
		return err
	}
	if !m.serving() {
		l.refuse(m, p.Call, r, os.ErrClosed)
		return nil
	}
	if l.sockets.Full(m.ID) {
		l.refuse(m, p.Call, r, os.NewSyscallError("socket", syscall.EMFILE))
		return nil
	}
	if allow := m.gen.cfg.Allow; allow != nil {
		l.work(func() func() {
			err := callUser("Config.Allow", l.log, func() error { return allow(m.worker, r.Network, r.Address) })
			return func() { l.allowed(m, p.Call, r, err) }
		})
		return nil
	}
	l.allowed(m, p.Call, r, nil)
	return nil
}

// allowed continues listen with the result of Config.Allow.
func (l *loop) allowed(m *member, call uint32, r bind.Request, err error) {
	switch {
	case err != nil:
		l.refuse(m, call, r, forbidden(err))
	case m.linkOpen:
		l.answer(l.sockets.Ask(sockets.Caller{Holder: m.ID, Call: call}, r))
	}
}

// forbidden returns an error of Config.Allow with the errno EACCES if it is
// os.ErrPermission: a link carries an errno, and no other error value.
func forbidden(err error) error {
	var errno syscall.Errno
	if errors.Is(err, os.ErrPermission) && !errors.As(err, &errno) {
		return &permissionError{err.Error()}
	}
	return err
}

// permissionError is EACCES with the text of Config.Allow's error.
type permissionError struct{ text string }

func (e *permissionError) Error() string { return e.text }
func (e *permissionError) Unwrap() error { return syscall.EACCES }

// answer answers calls, and runs b if it is not nil.
func (l *loop) answer(answers []sockets.Answer, b *sockets.Bind) {
	for _, a := range answers {
		switch m := l.members[a.Holder]; {
		case m == nil || !m.linkOpen: // nobody is left to read it
		case a.Socket != nil:
			l.send(m, a)
		case a.Request.Duplicate:
			l.rejectDuplicate(m, a)
		default:
			l.refuse(m, a.Call, a.Request.Request, a.Err)
		}
	}
	if b != nil {
		l.bind(b)
	}
}

// bind opens a socket on another goroutine, and answers the calls that wait for it.
func (l *loop) bind(b *sockets.Bind) {
	l.work(func() func() {
		opened, err := b.Run(l.ctx, l.sys.open)
		return func() {
			l.answer(l.sockets.Bound(b, opened, err, time.Now()))
			l.closeLater()
		}
	})
}

// send sends a worker a descriptor of its own of a socket. It is made non-blocking,
// because O_NONBLOCK is shared with the other workers, who may have cleared it.
func (l *loop) send(m *member, a sockets.Answer) {
	fd, err := a.Socket.FD.Dup()
	if err == nil {
		err = fd.SetNonblock()
	}
	if err != nil {
		l.sockets.Withdraw(a, time.Now())
		l.refuse(m, a.Call, a.Request.Request, err)
		return
	}
	body := wire.Body(wire.SocketBody{ID: a.Socket.ID})
	_ = m.process.Link.Send(wire.Frame{Type: wire.Socket, Call: a.Call, Body: body}, fd)
	m.listening = true
	m.publish()
	addr := addressOf(a.Socket.Key.Network, a.Socket.Addr)
	l.m.events.Emit(m.worker.source, func(e *Events) {
		if e.Listening != nil {
			e.Listening(m.worker, addr)
		}
	})
}

// addressOf returns the address of a socket as events report it.
func addressOf(network string, addr net.Addr) Address {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return Address{Network: network, Address: addr.String()}
	}
	a := Address{Network: network, Address: host}
	fmt.Sscan(port, &a.Port)
	return a
}

// rejectDuplicate refuses a worker a socket that it holds, with the system's error.
func (l *loop) rejectDuplicate(m *member, a sockets.Answer) {
	l.work(func() func() {
		err := sockets.DuplicateError(l.ctx, l.sys.open, a.Request)
		return func() { l.refuse(m, a.Call, a.Request.Request, err) }
	})
}

// refuse answers a call with the error that net.Listen would return.
func (l *loop) refuse(m *member, call uint32, r bind.Request, err error) {
	if m.process == nil || !m.linkOpen {
		return
	}
	body := wire.Body(neterr.Encode(sockets.OpError(r, err)))
	_ = m.process.Link.Send(wire.Frame{Type: wire.Failed, Call: call, Body: body})
}

// closed handles the frame that a worker sends when its program has closed a socket.
// What a draining worker closes stays open: another worker still serves it, or will.
func (l *loop) closed(m *member, p link.Packet) error {
	var body wire.ClosedBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	if m.serving() {
		l.sockets.Closed(m.ID, body.ID, time.Now())
		l.closeLater()
	}
	return nil
}

// closeLater makes sure that a timer runs while sockets linger that nobody holds.
func (l *loop) closeLater() {
	next := l.sockets.NextExpiry()
	if l.expires || next.IsZero() {
		return
	}
	l.expires = true
	l.after(time.Until(next), func() {
		l.expires = false
		l.sockets.CloseExpired(time.Now())
		l.closeLater()
	})
}

// closeUnused closes the sockets that no serving worker has asked for, after a reload or
// an upgrade.
func (l *loop) closeUnused() {
	closed := l.sockets.CloseUnused(func(id int) bool { m := l.members[id]; return m != nil && m.serving() })
	for _, s := range closed {
		l.log.Info("rota: socket closed, the new generation doesn't use it", "network", s.Key.Network, "address", s.Addr.String())
	}
}

// closeAtStop closes all sockets when the last worker of a master that stops begins to
// drain: a new connection is refused, and not queued where nobody will accept it.
func (l *loop) closeAtStop() {
	stops := len(l.disconnects) > 0 || l.state.Phase().Stopping()
	for _, m := range l.members {
		if !stops || m.serving() {
			return
		}
	}
	l.sockets.CloseAll()
}

// accepting records that a worker takes connections from a socket.
func (l *loop) accepting(m *member, p link.Packet) error {
	var body wire.AcceptingBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	name := body.Own
	if shared, ok := l.sockets.Name(body.ID); ok {
		name = shared
	}
	if m.pooled && l.pool != nil {
		l.pool.readiness.Accept(m.ID, name, time.Now())
	}
	return nil
}
