package sockets

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// Master is the holder that is this process. It shares no socket with the others, which ids
// above it have: its keys have indexes below zero. Its sockets stay open to the end of the
// table, also while the others' are closed in a stop.
const Master = 0

// isMasters reports whether k is the key of a socket of holder Master.
func (k Key) isMasters() bool { return k.Index < 0 }

// mastersKey is keyOf for holder Master: -1, and for an address that stands for several sockets
// the highest index below zero that it doesn't hold.
func (h *holder) mastersKey(key Key, several bool) Key {
	for key.Index = -1; several && h.keys[key]; key.Index-- {
	}
	return key
}

// own is what a Server knows of the sockets of holder Master.
type own struct {
	begun     bool                     // the predecessor's sockets are there, if there is a predecessor
	waiting   []func()                 // calls, until begun
	calls     map[uint32]*call         // by the number of the call
	last      uint32                   // of a call
	listeners map[*ownListener]bool    // that are open
	closed    chan struct{}            // by Retire
	serve     chan struct{}            // closed when the listeners may accept
	once      struct{ c, s sync.Once } // of closed and serve
}

// ownConns counts connections of this process that are open, and calls of Accept.
type ownConns struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n gets 0; nil while nobody waits
}

func (c *ownConns) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *ownConns) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// wait waits until there is none, for at most limit.
func (c *ownConns) wait(limit time.Duration) {
	c.mu.Lock()
	if c.n > 0 && c.none == nil {
		c.none = make(chan struct{})
	}
	none := c.none
	c.mu.Unlock()
	if none == nil {
		return
	}
	select {
	case <-none:
	case <-time.After(limit):
	}
}

// AwaitOwn waits until the connections are closed that this process has accepted on sockets of its
// own, for at most limit. It is to be called after RetireOwn, and may be by any goroutine.
func (s *Server) AwaitOwn(limit time.Duration) { s.ownConns.wait(limit) }

// Own is the answer to a call of Server.Own: a listener, or an error as net.Listen's.
type Own struct {
	Listener net.Listener
	Err      error
}

// Own asks for a listener of this process, and calls then when it is there. With follows this
// process is to take over from a master: the call waits for BeginOwn, and the listener
// doesn't accept before ServeOwn. After cancel nobody wants the listener.
func (s *Server) Own(ctx context.Context, r bind.Request, follows bool, then func(Own)) (cancel func()) {
	o, c := s.ownState(), &call{then: then}
	if !follows {
		s.BeginOwn()
		s.ServeOwn()
	}
	ask := func() {
		o.last++
		o.calls[o.last] = c
		s.begin(Master)
		answers, b := s.Table.Ask(Caller{Holder: Master, Call: o.last}, r, nil)
		s.answer(ctx, answers, b)
	}
	if o.begun {
		ask()
	} else {
		o.waiting = append(o.waiting, ask)
	}
	return c.cancel
}

// call is a call of Own.
type call struct {
	then      func(Own)
	answer    Own // that then was called with
	cancelled bool
}

func (c *call) reply(o Own) {
	if c.answer = o; c.cancelled {
		c.cancel()
		return
	}
	c.then(o)
}

func (c *call) cancel() {
	if c.cancelled = true; c.answer.Listener != nil {
		_ = c.answer.Listener.Close() // nothing was written to it
	}
}

func (s *Server) ownState() *own {
	if s.own == nil {
		s.own = &own{calls: map[uint32]*call{}, listeners: map[*ownListener]bool{}, closed: make(chan struct{}), serve: make(chan struct{})}
	}
	return s.own
}

// BeginOwn says that the sockets of the predecessor are in the table.
func (s *Server) BeginOwn() {
	o := s.ownState()
	waiting := o.waiting
	o.begun, o.waiting = true, nil
	for _, ask := range waiting {
		ask()
	}
}

// ServeOwn says that this process is the master: its listeners accept.
func (s *Server) ServeOwn() {
	o := s.ownState()
	o.once.s.Do(func() { close(o.serve) })
}

// RetireOwn closes the listeners of this process: its successor, which has their sockets,
// accepts from now on. They stay in the table, for a successor that hasn't got them yet.
func (s *Server) RetireOwn() {
	o := s.ownState()
	o.once.c.Do(func() { close(o.closed) })
	for ln := range o.listeners {
		_ = ln.Listener.Close() // nothing was written to it
	}
	clear(o.listeners)
}

// deliver answers a call of Own with fd, which it closes.
func (s *Server) deliver(c Caller, socket *Socket, fd *descriptor.FD) {
	ln, err := fd.Listener()
	_ = fd.Close() // nothing was written to it
	if err != nil {
		s.Closed(Master, socket.ID)
		s.reply(c, Own{Err: err})
		return
	}
	keepFile(ln)
	o := s.ownState()
	mine := &ownListener{Listener: ln, addr: socket.Addr, serve: o.serve, closed: o.closed, conns: &s.ownConns, done: make(chan struct{})}
	mine.release = func() {
		s.Loop.After(0, func() {
			if o.listeners[mine] {
				delete(o.listeners, mine)
				s.Closed(Master, socket.ID)
			}
		})
	}
	o.listeners[mine] = true
	s.reply(c, Own{Listener: mine})
}

// reply calls the function that waits for an answer of Own.
func (s *Server) reply(c Caller, answer Own) {
	o := s.ownState()
	asked := o.calls[c.Call]
	delete(o.calls, c.Call)
	asked.reply(answer)
}

// ownListener is a listener of this process on a socket of the table.
type ownListener struct {
	net.Listener
	addr          net.Addr
	serve, closed <-chan struct{} // see own
	done          chan struct{}   // closed by Close
	conns         *ownConns
	once          sync.Once
	release       func() // tells the table of Close
}

// Accept accepts when this process is the master. It fails with net.ErrClosed when a successor
// has taken over.
func (l *ownListener) Accept() (net.Conn, error) {
	select {
	case <-l.serve:
		return l.accept()
	case <-l.closed:
	case <-l.done:
	}
	return nil, &net.OpError{Op: "accept", Net: l.addr.Network(), Addr: l.addr, Err: net.ErrClosed}
}

func (l *ownListener) accept() (net.Conn, error) {
	l.conns.add()
	c, err := l.Listener.Accept()
	if err != nil {
		l.conns.done()
		return nil, err
	}
	return &ownConn{Conn: c, closed: sync.OnceFunc(l.conns.done)}, nil
}

// ownConn is a connection of a process that may be about to end.
type ownConn struct {
	net.Conn
	closed func()
}

// CloseWrite ends what is sent.
func (c *ownConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection.
func (c *ownConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// Addr returns the address of the socket.
func (l *ownListener) Addr() net.Addr { return l.addr }

// Close closes the listener. The socket is closed Linger later.
func (l *ownListener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.done)
		err = l.Listener.Close()
		l.release()
	})
	return err
}
