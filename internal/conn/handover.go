package conn

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/http1"
)

// Errors of HandOver. errors.Is finds them.
var (
	// ErrKind says that a connection can't go on in another process.
	ErrKind = errors.New("not a connection that can be handed over")
	// ErrWrites says that a Write is under way.
	ErrWrites = errors.New("another goroutine writes to the connection")
)

// HandOver gives c to the worker that takes the connections of this one, with a state, which is
// JSON. If the error is nil this process has it no more, and all later calls return
// net.ErrClosed. Otherwise c is as it was. A Write waits while the other worker is asked.
func HandOver(c net.Conn, state []byte) error {
	base, ok := c.(interface{ base() *conn })
	if !ok {
		return fmt.Errorf("%w: a %T", ErrKind, c)
	}
	return base.base().handOver(state)
}

func (c *conn) handOver(state []byte) (err error) {
	s, ok := c.socket.Conn.(syscall.Conn)
	if !ok || c.shared.Cookie == 0 || !c.isStream() {
		return fmt.Errorf("%w: a %T that other processes can't have", ErrKind, c.socket.Conn)
	}
	if m := c.shared.Mover.Load(); m != nil && c.shared.Draining.Load() {
		c.givenAway(func() bool { err = c.handOverTo(m, s, state); return err == nil })
		return err
	}
	return handover.ErrNoReceiver
}

// isStream reports whether the receiver can know the connection as one of the socket.
func (c *conn) isStream() bool {
	n := c.socket.LocalAddr().Network()
	return n == "tcp" || n == "unix"
}

// handOverTo is what handOver does while the connection is frozen.
func (c *conn) handOverTo(m *handover.Mover, s syscall.Conn, state []byte) error {
	raw, err := s.SyscallConn()
	switch {
	case c.closed.Load():
		return net.ErrClosed
	case c.move.writes.Load() > 0:
		return ErrWrites
	case err != nil:
		return err
	}
	return m.HandOver(handover.Item{Cookie: c.shared.Cookie, Conn: raw}, state)
}

// NewHanded is New for a connection that the program of another process has handed over.
func NewHanded(inner net.Conn, shared *Shared) (net.Conn, *Tracked) {
	result, t := New(inner, shared)
	t.http.Ignore()
	t.http.OpenAs(http1.Stranger)
	return result, t
}
