package rotahttp

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// conns are a server's connections of HTTP/1 that are neither closed nor hijacked,
// those still in their TLS handshake included.
type conns struct {
	m sync.Map // net.Conn → *connState
	n atomic.Int64

	changed chan<- struct{} // has a place for one: some conn has gone
}

type connState struct {
	moves atomic.Uint32 // changes of the state; odd ones have made it active

	seen  uint32    // the drain's: moves when it last looked
	since time.Time // the drain's: since when it has seen that
}

// note is the server's ConnState. It runs twice a request.
func (c *conns) note(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.n.Add(1)
		c.m.Store(conn, new(connState))
	case http.StateClosed, http.StateHijacked:
		c.forget(conn)
	default:
		if s, ok := c.m.Load(conn); ok {
			s.(*connState).moved(state == http.StateActive)
		}
	}
}

// forget strikes conn off the list: it has ended, or speaks something else.
func (c *conns) forget(conn net.Conn) {
	if _, ok := c.m.LoadAndDelete(conn); ok {
		c.n.Add(-1)
		poke(c.changed)
	}
}

// poke says that something has changed. Nobody is waited for.
func poke(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

func (s *connState) moved(active bool) {
	n := s.moves.Load() + 1
	if active != (n%2 == 1) {
		n++
	}
	s.moves.Store(n) // one goroutine at a time
}

// endIdle ends the connections that have been idle for that long, as far as it knows:
// from its own first look on.
func (c *conns) endIdle(grace time.Duration) {
	now := time.Now()
	c.m.Range(func(conn, state any) bool {
		if idle, since := state.(*connState).idle(now); idle && now.Sub(since) >= grace {
			endInput(conn.(net.Conn))
		}
		return true
	})
}

// idle reports whether no request is in hand, and since when that has been seen.
func (s *connState) idle(now time.Time) (bool, time.Time) {
	if n := s.moves.Load(); n != s.seen || s.since.IsZero() {
		s.seen, s.since = n, now
	}
	return s.seen%2 == 0, s.since
}

// endInput ends what the server waits for, gently if the conn can: a request that
// has come in the meantime is still read.
func endInput(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn() // below TLS
	}
	if r, ok := c.(interface{ CloseRead() error }); ok {
		_ = r.CloseRead() // fails where the client has gone
		return
	}
	_ = c.SetReadDeadline(time.Now())
}
