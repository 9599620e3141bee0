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
	waits bool      // the Read waits, for awaitedFor or until then
	stays bool      // the connection can't rest
}

// isOver reports whether the time has passed for which the other program would have waited.
func (f *first) isOver() bool { return !f.until.IsZero() && !time.Now().Before(f.until) }

// end is when a Read that begins now doesn't wait any longer.
func (f *first) end() time.Time {
	end := time.Now().Add(awaitedFor)
	if !f.until.IsZero() && f.until.Before(end) {
		return f.until
	}
	return end
}

// NewUsed is NewMoved for a connection whose client is expected to send soon, or has sent. If it is silent for awaitedFor, the
// connection rests by Shared.Rest, with what is left of the time that the other program would have waited; 0: it sets no time. Then
// the first Read returns io.EOF, and all later calls net.ErrClosed. When that time has passed before, or while it can't rest, the first Read
// returns os.ErrDeadlineExceeded, unless the client has sent meanwhile.
func NewUsed(inner net.Conn, shared *Shared, left time.Duration) (result net.Conn, t *Tracked) {
	result, t = NewMoved(inner, shared)
	t.move.first.Store(&first{until: handover.Until(left)})
	return result, t
}

// onFirst is called where a Read begins, or goes on after an interruption, of a connection that has nothing read yet. The
// result is what Read returns, unless it is nil.
func (c *conn) onFirst(f *first) error {
	if !c.move.first.CompareAndSwap(f, nil) {
		return nil
	}
	switch {
	case f.isOver():
		if !c.socket.InputWaiting() {
			return c.errLate()
		}
	case !f.waits:
		c.waitFirst(&first{until: f.until, waits: true}, f.end())
	case c.isOverdue(): // the Read fails by that
	case !f.stays && c.rests(f):
		return io.EOF
	case !f.until.IsZero():
		c.waitFirst(&first{until: f.until, waits: true, stays: true}, f.until)
	}
	return nil
}

// errLate is how a Read of package net fails by its deadline.
func (c *conn) errLate() error {
	local, remote := c.socket.LocalAddr(), c.socket.RemoteAddr()
	return &net.OpError{Op: "read", Net: local.Network(), Source: local, Addr: remote, Err: os.ErrDeadlineExceeded}
}

// waitFirst has the Read that is about to begin be interrupted at a time, or at the program's deadline if that is earlier. Then it goes
// on as f says. A connection that has bytes pass unseen is the program's alone.
func (c *conn) waitFirst(f *first, end time.Time) {
	c.move.mu.Lock()
	defer c.move.mu.Unlock()
	if c.move.stays.Load() {
		return
	}
	c.move.first.Store(f)
	c.move.interrupted.Store(true)
	c.setReadDeadline(end)
}

// isOverdue reports whether the program's own deadline has passed.
func (c *conn) isOverdue() bool {
	d := decodeTime(c.move.deadline.Load())
	return !d.IsZero() && !time.Now().Before(d)
}

// rests reports whether the connection, whose client is silent, rests from now on. A drain ends what is left.
func (c *conn) rests(f *first) bool {
	return !c.shared.Draining.Load() && c.departs(func() bool { return c.shared.Rest(c.socket.Conn, handover.Left(f.until)) })
}
