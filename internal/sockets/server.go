package sockets

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// Server answers the calls of holders: it carries out what its Table decides. It runs the
// binds, passes the answers to Owner, and closes sockets when their time has come. The
// fields are set before the first call of a method. The methods are called on the
// goroutine of Loop, where the Server calls those of Owner and Table.
type Server struct {
	*Table
	Owner Owner
	Loop  Loop
	Open  Opener // called on other goroutines

	timer bool // a timer will close sockets that linger
}

// Loop is the goroutine that owns a Server.
type Loop struct {
	Work  func(f func() func())                         // calls f on another goroutine, and on it what f returns
	After func(d time.Duration, f func()) (stop func()) // calls f on it after d
}

// Owner is the master, as a Server needs it.
type Owner interface {
	// Connected reports whether a holder can still be answered.
	Connected(holder int) bool
	// Send answers a call with a socket. It closes fd, a duplicate of s.FD.
	Send(c Caller, s *Socket, fd *descriptor.FD)
	// Refuse answers a call with err, which is the error that net.Listen would return. It
	// does nothing if the holder can't be answered any more.
	Refuse(c Caller, err error)
}

// Ask answers a call that asks for a socket, now or later. If allow is not nil, it is
// called first, on another goroutine; its error refuses the socket. A holder that can't
// be answered any more gets no socket.
func (s *Server) Ask(ctx context.Context, c Caller, r bind.Request, allow func() error) {
	switch {
	case s.Full(c.Holder):
		s.Refuse(c, r, os.NewSyscallError("socket", syscall.EMFILE))
	case allow == nil:
		s.allowed(ctx, c, r, nil)
	default:
		s.Loop.Work(func() func() {
			err := allow()
			return func() { s.allowed(ctx, c, r, err) }
		})
	}
}

// Refuse answers a call with err, as net.Listen returns it.
func (s *Server) Refuse(c Caller, r bind.Request, err error) {
	s.Owner.Refuse(c, OpError(r, err))
}

// allowed continues Ask with the result of allow.
func (s *Server) allowed(ctx context.Context, c Caller, r bind.Request, err error) {
	switch {
	case err != nil:
		s.Refuse(c, r, err)
	case s.Owner.Connected(c.Holder):
		answers, b := s.Table.Ask(c, r)
		s.answer(ctx, answers, b)
	}
}

// answer answers calls, and runs b if it is not nil.
func (s *Server) answer(ctx context.Context, answers []Answer, b *Bind) {
	for _, a := range answers {
		switch {
		case !s.Owner.Connected(a.Holder):
		case a.Socket != nil:
			s.send(a)
		case a.Request.Duplicate:
			s.rejectDuplicate(ctx, a)
		default:
			s.Refuse(a.Caller, a.Request.Request, a.Err)
		}
	}
	if b != nil {
		s.bind(ctx, b)
	}
}

// bind opens a socket on another goroutine, and answers the calls that wait for it.
func (s *Server) bind(ctx context.Context, b *Bind) {
	s.Loop.Work(func() func() {
		opened, err := b.Run(ctx, s.Open)
		return func() {
			answers, again := s.Bound(b, opened, err, time.Now())
			s.answer(ctx, answers, again)
			s.closeLater()
		}
	})
}

// send sends a holder a descriptor of its own of a socket. It is made non-blocking,
// because O_NONBLOCK is shared with the other holders, which may have cleared it. Owner
// closes the descriptor.
func (s *Server) send(a Answer) {
	fd, err := a.Socket.FD.Dup()
	if err == nil {
		err = fd.SetNonblock()
	}
	if err != nil {
		s.Withdraw(a, time.Now())
		s.Refuse(a.Caller, a.Request.Request, err)
		return
	}
	s.Owner.Send(a.Caller, a.Socket, fd)
}

// rejectDuplicate refuses a holder a socket that it holds, with the system's error.
func (s *Server) rejectDuplicate(ctx context.Context, a Answer) {
	s.Loop.Work(func() func() {
		err := DuplicateError(ctx, s.Open, a.Request)
		return func() { s.Refuse(a.Caller, a.Request.Request, err) }
	})
}

// Closed records that a holder has closed socket id. A socket that nobody holds is closed
// after Linger.
func (s *Server) Closed(holder, id int) {
	s.Table.Closed(holder, id, time.Now())
	s.closeLater()
}

// closeLater makes sure that a timer runs while sockets linger that nobody holds.
func (s *Server) closeLater() {
	next := s.NextExpiry()
	if s.timer || next.IsZero() {
		return
	}
	s.timer = true
	s.Loop.After(time.Until(next), func() {
		s.timer = false
		s.CloseExpired(time.Now())
		s.closeLater()
	})
}
