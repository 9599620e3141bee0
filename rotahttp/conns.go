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

	seen  uint32 // the drain's: moves at its last tick
	ticks int    // the drain's: for how many ticks that has not changed
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

// endIdle ends the connections that were idle for limit ticks.
func (c *conns) endIdle(limit int) {
	c.m.Range(func(conn, state any) bool {
		if state.(*connState).idle(limit) {
			endInput(conn.(net.Conn))
		}
		return true
	})
}

func (s *connState) idle(limit int) bool {
	n := s.moves.Load()
	if n%2 == 1 || n != s.seen {
		s.seen, s.ticks = n, 0
		return false
	}
	s.ticks++
	return s.ticks >= limit
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
