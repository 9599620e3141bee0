package health

import (
	"container/list"
	"net"
	"sync"
)

// maxConns is how many connections a listener has at a time.
const maxConns = 64

// bounded is a listener with at most maxConns connections. One more ends the oldest: a check takes
// a millisecond, so the oldest is not one.
type bounded struct {
	net.Listener
	mu    sync.Mutex
	conns *list.List // of *boundedConn, the oldest first
}

type boundedConn struct {
	net.Conn
	from *bounded
	at   *list.Element
}

func newBounded(ln net.Listener) *bounded { return &bounded{Listener: ln, conns: list.New()} }

func (b *bounded) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	mine := &boundedConn{Conn: c, from: b}
	if oldest := b.add(mine); oldest != nil {
		_ = oldest.Close() // its client is told nothing
	}
	return mine, nil
}

// add adds c, and returns the connection that has to end for it, if any.
func (b *bounded) add(c *boundedConn) (oldest net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns.Len() >= maxConns {
		oldest = b.conns.Remove(b.conns.Front()).(net.Conn)
	}
	c.at = b.conns.PushBack(c)
	return oldest
}

func (c *boundedConn) Close() error {
	c.from.mu.Lock()
	c.from.conns.Remove(c.at) // does nothing if it is removed already
	c.from.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends what is sent, where the connection can.
func (c *boundedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}
