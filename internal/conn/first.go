package conn

import (
	"io"
	"net"
	"os"
	"time"

	"github.com/rota-go/rota/internal/handover"
)

// awaitedFor is how long the program waits for the client of a connection that was used when it moved. Then the
// connection rests.
const awaitedFor = 100 * time.Millisecond

// first is how the first Read of a connection that has moved differs from those of others.
type first struct {
	until time.Time // how long the other program would have waited for a request; zero: without a limit
	late  bool      // the Read fails: that has passed
	waits bool      // the Read waits, for awaitedFor
}

// NewLate is NewMoved for a connection whose read deadline, which the other program had set, has passed
// before the client has sent anything. The first Read returns os.ErrDeadlineExceeded, unless the client has
// sent meanwhile.
func NewLate(inner net.Conn, shared *Shared) (result net.Conn, t *Tracked) {
	result, t = NewMoved(inner, shared)
	t.move.first.Store(&first{until: time.Now(), late: true})
	return result, t
}

// NewUsed is NewMoved for a connection whose client is expected to send soon. If it is silent for awaitedFor, the
// connection rests by Shared.Rest, with what is left of the time that the other program would have waited; 0: it sets no time. Then
// the first Read returns io.EOF, and all later calls net.ErrClosed.
func NewUsed(inner net.Conn, shared *Shared, left time.Duration) (result net.Conn, t *Tracked) {
	result, t = NewMoved(inner, shared)
	t.move.first.Store(&first{until: handover.Until(left)})
	return result, t
}

// onFirst is called where a Read begins, or goes on after an interruption, of a connection that has nothing read yet. The
// result is what Read returns, unless it is nil.
func (c *conn) onFirst(f *first) error {
	switch {
	case f.late:
		if c.move.first.CompareAndSwap(f, nil) && !c.socket.InputWaiting() {
			return c.errLate()
		}
	case !f.waits:
		if c.move.first.CompareAndSwap(f, &first{until: f.until, waits: true}) {
			c.boundFirst()
		}
	case c.move.first.CompareAndSwap(f, nil) && c.rests(f):
		return io.EOF
	}
	return nil
}

// errLate is how a Read of package net fails by its deadline.
func (c *conn) errLate() error {
	local, remote := c.socket.LocalAddr(), c.socket.RemoteAddr()
	return &net.OpError{Op: "read", Net: local.Network(), Source: local, Addr: remote, Err: os.ErrDeadlineExceeded}
}

// boundFirst has the Read that is about to begin be interrupted after awaitedFor.
func (c *conn) boundFirst() {
	c.move.mu.Lock()
	defer c.move.mu.Unlock()
	end := time.Now().Add(awaitedFor)
	if d := decodeTime(c.move.deadline.Load()); !d.IsZero() && d.Before(end) {
		end = d
	}
	c.move.interrupted.Store(true)
	_ = c.socket.SetReadDeadline(end) // fails if the program has closed it
}

// rests reports whether the connection, whose client is silent, rests from now on. The program has its own
// deadline, and a drain ends what is left.
func (c *conn) rests(f *first) bool {
	d := decodeTime(c.move.deadline.Load())
	if passed := !d.IsZero() && !time.Now().Before(d); passed || c.shared.Draining.Load() {
		return false
	}
	return c.departs(func() bool { return c.shared.Rest(c.socket.Conn, handover.Left(f.until)) })
}
