package rotahttp

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// http1Conns are a server's HTTP/1 connections that are neither closed nor hijacked,
// including those still in their TLS handshake.
type http1Conns struct {
	m sync.Map // net.Conn → *http1State
	n atomic.Int64

	changed chan<- struct{} // server.changed
}

// http1State is what the drain knows of one connection: whether it is idle, and for how
// long.
type http1State struct {
	// transitions counts the changes between idle and active. It is odd while a request
	// is read or handled, and even otherwise.
	transitions atomic.Uint32

	// Used by the drain goroutine alone: the value of transitions at its last look, and
	// when it first saw that value.
	seen      uint32
	seenSince time.Time
}

// setState records a change that http.Server reports to ConnState, twice a request.
func (c *http1Conns) setState(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s := new(http1State)
		if k, ok := conn.(noteKeeper); ok {
			k.SetNote(s)
		}
		c.n.Add(1)
		c.m.Store(conn, s)
	case http.StateClosed, http.StateHijacked:
		c.remove(conn)
	default:
		if s := c.stateOf(conn); s != nil {
			s.setActive(state == http.StateActive)
		}
	}
}

// noteKeeper is a conn of rota, which keeps its state itself.
type noteKeeper interface {
	SetNote(any)
	Note() any
}

// stateOf returns what is known of conn, or nil.
func (c *http1Conns) stateOf(conn net.Conn) *http1State {
	if k, ok := conn.(noteKeeper); ok {
		s, _ := k.Note().(*http1State)
		return s
	}
	s, _ := c.m.Load(conn)
	known, _ := s.(*http1State)
	return known
}

// remove removes conn, which is closed, hijacked or found to be HTTP/2.
func (c *http1Conns) remove(conn net.Conn) {
	if _, ok := c.m.LoadAndDelete(conn); ok {
		c.n.Add(-1)
		notify(c.changed)
	}
}

// setActive makes transitions odd if active and even if not, always by adding to it.
// http.Server calls it for one state at a time, so that load and store need not be atomic
// together.
func (s *http1State) setActive(active bool) {
	n := s.transitions.Load() + 1
	if active != (n%2 == 1) {
		n++
	}
	s.transitions.Store(n)
}

// closeIdle closes the connections that have been idle for grace or longer. The time
// counts from the first call that finds the connection idle.
func (c *http1Conns) closeIdle(grace time.Duration) {
	now := time.Now()
	c.m.Range(func(conn, state any) bool {
		if idle, since := state.(*http1State).idle(now); idle && now.Sub(since) >= grace {
			stopReading(conn.(net.Conn))
		}
		return true
	})
}

// idle reports whether no request is read or handled, and since when the drain has seen
// that state.
func (s *http1State) idle(now time.Time) (idle bool, since time.Time) {
	if n := s.transitions.Load(); n != s.seen || s.seenSince.IsZero() {
		s.seen, s.seenSince = n, now
	}
	return s.seen%2 == 0, s.seenSince
}

// stopReading makes http.Server's pending read on c fail, so that it closes c. Where c has
// CloseRead, a request that has arrived in the meantime is still read and answered.
func stopReading(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn() // below TLS
	}
	if r, ok := c.(interface{ CloseRead() error }); ok {
		_ = r.CloseRead() // fails if the client has closed the connection
		return
	}
	_ = c.SetReadDeadline(time.Now())
}
