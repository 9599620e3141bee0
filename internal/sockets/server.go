package sockets

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/spread"
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
	// Freed is told that many sockets of holders that are gone were closed, which leaves
	// garbage. It may be nil.
	Freed func()

	timer      bool          // a timer will close sockets that linger
	abandoning bool          // a timer will close sockets of holders that are gone
	sealing    bool          // a holder accepts
	patrol     spread.Patrol // of the queues that several holders accept from
	counted    time.Time     // when Owner.Count was called
	levels     bool          // what it has returned
	calls      map[int]int   // that wait for an answer, by holder
	own        *own          // sockets of this process; nil until it asks for one
	ownConns   ownConns      // of its listeners
	onOpened   func()        // see OnOpened
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
	// CanHelp reports whether a holder accepts connections now, and can be given those of
	// another slot, or with own be told to look at its queue.
	CanHelp(holder int, own bool) bool
	// Help has a holder accept what waits in a queue of socket id, of another slot, and then answer by
	// Helped. It closes queue. Without queue it is the holder's own: it may be out of descriptors.
	Help(holder, id int, queue ...*descriptor.FD)
	// Count asks the holders how many connections they have open. It reports false if connections
	// are not to be spread evenly for now.
	Count() bool
	// Connections returns what a holder has answered, and how many it has accepted. ok is false if it never has.
	Connections(holder int) (open, accepted int, ok bool)
	// StandBy has a holder leave the connections of socket id to others for a while; with 0 no longer.
	StandBy(holder, id int, d time.Duration)
	// Denied reports a call that is refused because nobody has asked for that socket before
	// clients could reach the program; the first of a holder. Refuse is called as well.
	Denied(c Caller, name string)
}

// Ask answers a call that asks for a socket, now or later, if terms permit it. A holder that
// can't be answered any more gets no socket.
func (s *Server) Ask(ctx context.Context, c Caller, r bind.Request, terms Terms) {
	if err := s.refusal(c, r, terms); err != nil {
		s.Refuse(c, r, err)
		return
	}
	s.begin(c.Holder)
	if terms.Allow == nil {
		s.ask(ctx, c, r, terms.User)
		return
	}
	s.Loop.Work(func() func() {
		err := terms.Allow(Resolve(r))
		return func() { s.allowed(ctx, c, r, terms.User, err) }
	})
}

// refusal returns why a call is refused before Allow is asked, or nil.
func (s *Server) refusal(c Caller, r bind.Request, terms Terms) error {
	if err := checkLength(r); err != nil {
		return err
	}
	s.holder(c.Holder).generation = terms.Generation
	if s.Full(c.Holder, r) || s.calls[c.Holder] >= maxCalls {
		return os.NewSyscallError("socket", syscall.EMFILE)
	}
	err := s.permit(r, terms)
	if h := s.holder(c.Holder); err != nil && !h.denied {
		h.denied = true
		s.Owner.Denied(c, nameOfKind(r).String())
	}
	return err
}

// maxCalls bounds the calls of a holder that wait for an answer.
const maxCalls = 1024

// Binding reports whether a holder waits for a socket.
func (s *Server) Binding() bool { return len(s.calls) > 0 }

// OnOpened has f called after each bind that has succeeded. With nil nothing is called.
func (s *Server) OnOpened(f func()) { s.onOpened = f }

// begin and end count the calls of a holder that wait.
func (s *Server) begin(holder int) {
	if s.calls == nil {
		s.calls = map[int]int{}
	}
	s.calls[holder]++
}

func (s *Server) end(holder int) {
	if s.calls[holder]--; s.calls[holder] <= 0 {
		delete(s.calls, holder)
	}
}

// Refuse answers a call with err, as net.Listen returns it.
func (s *Server) Refuse(c Caller, r bind.Request, err error) {
	if err = bind.OpError(r, err); c.Holder == Master {
		s.reply(c, Own{Err: err})
		return
	}
	s.Owner.Refuse(c, err)
}

// refuse is Refuse for a call that has waited.
func (s *Server) refuse(c Caller, r bind.Request, err error) {
	s.end(c.Holder)
	s.Refuse(c, r, err)
}

// allowed continues Ask with the result of Allow. Meanwhile the holder may have got as many
// sockets as it may have.
func (s *Server) allowed(ctx context.Context, c Caller, r bind.Request, user *bind.User, err error) {
	switch {
	case err != nil:
		s.refuse(c, r, err)
	case s.Full(c.Holder, r):
		s.refuse(c, r, os.NewSyscallError("socket", syscall.EMFILE))
	default:
		s.ask(ctx, c, r, user)
	}
}

// ask asks the table for what is permitted, unless the holder can't be answered any more.
func (s *Server) ask(ctx context.Context, c Caller, r bind.Request, user *bind.User) {
	if !s.Owner.Connected(c.Holder) {
		s.end(c.Holder)
		return
	}
	answers, b := s.Table.Ask(c, r, user)
	s.answer(ctx, answers, b)
}

// AcceptsOn is Table.AcceptsOn. When the first holder accepts, clients can reach it: what
// holders asked for before, and in the SealAfter that follows, is what the program needs.
func (s *Server) AcceptsOn(id, socket int, own string, terms Terms) (name string, ok bool) {
	if !s.sealing {
		s.sealing = true
		s.Loop.After(SealAfter, s.Seal)
	}
	defer s.guard(socket)
	return s.Table.AcceptsOn(id, socket, own, terms)
}

// answer answers calls, and runs b if it is not nil.
func (s *Server) answer(ctx context.Context, answers []Answer, b *Bind) {
	for _, a := range answers {
		switch {
		case a.Holder != Master && !s.Owner.Connected(a.Holder):
			s.end(a.Holder)
		case a.Socket != nil:
			s.send(a)
		case a.Request.Duplicate:
			s.rejectDuplicate(ctx, a)
		default:
			s.refuse(a.Caller, a.Request.Request, a.Err)
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
			if b.beside != nil {
				s.guard(b.entry.id) // others accept, and clients come to the new queues already
			}
			if err == nil && s.onOpened != nil {
				s.onOpened()
			}
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
		s.refuse(a.Caller, a.Request.Request, err)
		return
	}
	if s.end(a.Holder); a.Holder == Master {
		s.deliver(a.Caller, a.Socket, fd)
		return
	}
	fd.Quick() // the table has the socket, too
	s.Owner.Send(a.Caller, a.Socket, fd)
}

// rejectDuplicate refuses a holder a socket that it holds, with the system's error.
func (s *Server) rejectDuplicate(ctx context.Context, a Answer) {
	s.Loop.Work(func() func() {
		err := DuplicateError(ctx, s.Open, a.Request)
		return func() { s.refuse(a.Caller, a.Request.Request, err) }
	})
}

// Closed records that a holder has closed socket id. A socket that nobody holds is closed
// after Linger.
func (s *Server) Closed(holder, id int) {
	s.Table.Closed(holder, id, time.Now())
	s.closeLater()
}

// abandonAfter is how long sockets stay open that only holders that are gone have asked for,
// and how often it is found out whether the others have asked for all that they need.
const abandonAfter = 2 * time.Second

// manyFreed is how many sockets are worth a collection of garbage when they are closed.
const manyFreed = 64

// Released is Release for a holder that others follow. When isSteady reports that these have
// asked for what they need, the sockets that nobody has asked for are closed: a program may
// name one by its pid, and its clients wait in the queue of a socket that is never accepted
// from again. isSteady is nil if nobody knows whether another follows: then they are closed when
// nobody has asked for them for forkedAfter.
//
// What a holder with a user of its own had beyond what the program needs is closed without
// that: after many crashes the others follow only when the back-off is over.
func (s *Server) Released(id int, isSteady func() bool) {
	s.Release(id)
	if isSteady == nil {
		s.closeUnasked()
		return
	}
	if s.abandoning || !s.hasAbandoned() {
		return
	}
	s.abandoning = true
	s.Loop.After(abandonAfter, func() {
		s.abandoning = false
		steady := isSteady()
		n := s.closeAbandoned(func(e *entry) bool { return steady || s.isSpare(e) })
		if n >= manyFreed && s.Freed != nil {
			s.Freed()
		}
		if !steady {
			s.Released(id, isSteady)
		}
	})
}

// forkedAfter is how long the sockets of workers stay open that the program starts itself and
// that are all gone. It may start others, and clients wait in the queues meanwhile.
const forkedAfter = 30 * time.Second

// closeUnasked closes the sockets that are abandoned now, and that nobody asks for within
// forkedAfter.
func (s *Server) closeUnasked() {
	asks := s.abandonedAsks()
	if len(asks) == 0 {
		return
	}
	s.Loop.After(forkedAfter, func() {
		s.closeAbandoned(func(e *entry) bool { n, was := asks[e.id]; return was && n == e.asks })
	})
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
