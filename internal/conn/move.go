package conn

import (
	"bytes"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/handover"
)

// move is what a connection needs so that it can go on in another process.
//
// In a drain whose worker has a receiver, the goroutine that reads the next request offers
// the connection to the receiver first (moved). If it waits in a Read already, interrupt has
// the Read fail at a deadline that has passed, and Read finds out why (resume). While the
// receiver is asked, the connection is frozen: a Write waits until it is known who has the
// connection.
type move struct {
	mu          sync.Mutex  // held while the connection is frozen or interrupted
	frozen      atomic.Bool // the receiver is asked
	interrupted atomic.Bool // the read deadline is not the program's
	stays       atomic.Bool // the connection isn't offered (any more)

	first atomic.Pointer[first] // nil: the next Read is like any other
	blank atomic.Bool           // CR and LF are skipped; see skipBlank

	spare atomic.Pointer[handover.Mover] // see Spare; nil: the worker keeps the connection

	writes   atomic.Int32 // calls that write
	deadline atomic.Int64 // the program's read deadline, see encodeTime
}

// NewMoved is New for a connection that another process has moved to this one.
func NewMoved(inner net.Conn, shared *Shared) (result net.Conn, t *Tracked) {
	result, t = New(inner, shared)
	t.http.Resume()
	t.move.blank.Store(true)
	return result, t
}

// skipBlank removes CR and LF from the beginning of p, in which n bytes were read, until anything else has come. It reports whether the Read
// is to be repeated, because nothing else has. Old clients send them after the body of a POST, and net/http skips them if it
// knows of that: another process has answered it.
func (c *conn) skipBlank(p []byte, n *int) (again bool) {
	if !c.move.blank.Load() || *n <= 0 {
		return false
	}
	rest := bytes.TrimLeft(p[:*n], "\r\n")
	c.move.blank.Store(len(rest) == 0)
	*n = copy(p, rest)
	return *n == 0
}

// mover returns what moves the connection, or nil if it stays.
func (c *conn) mover() *handover.Mover {
	if c.shared.Cookie == 0 || c.shared.Stay || c.move.stays.Load() {
		return nil
	}
	m := c.move.spare.Load()
	if c.shared.Draining.Load() && (m == nil || m.Ended()) {
		m = c.shared.Mover.Load()
	}
	if m == nil || m.Ended() {
		return nil
	}
	return m
}

// leaves reports whether the connection has ended, or has moved, where the program reads the
// next request. The connection is used if the program asks for that now.
func (c *conn) leaves(used bool) bool {
	if c.shared.Draining.Load() {
		return c.finished() || c.moved(used)
	}
	return c.move.spare.Load() != nil && c.moved(used)
}

// moved offers the connection to the receiver, if it can go on there, and reports whether the receiver has
// taken it.
func (c *conn) moved(used bool) bool {
	m := c.mover()
	return m != nil && c.departs(func() bool { return c.moveBy(m, used) })
}

// moveBy is what moved does while the connection is frozen.
func (c *conn) moveBy(m *handover.Mover, used bool) bool {
	spared := c.move.spare.CompareAndSwap(m, nil)
	raw, err := c.socket.Conn.(syscall.Conn).SyscallConn()
	if err != nil || !m.Move(handover.Item{Cookie: c.shared.Cookie, Conn: raw, Rest: c.rest(), Used: used}) {
		c.move.stays.Store(!spared && !m.Ended()) // there may be another receiver
		return false
	}
	if n := c.shared.Moved; n != nil {
		n.Add(1)
	}
	return true
}

// departs reports whether the connection is at rest, and has been given away by give. Only a Read calls departs.
func (c *conn) departs(give func() bool) bool {
	return c.givenAway(func() bool {
		return !c.move.stays.Load() && c.move.writes.Load() == 0 && c.http.Movable() && give()
	})
}

// givenAway reports whether the connection has been given away by give, which is called while it is frozen. Then the
// program has it no more: all later calls return net.ErrClosed.
func (c *conn) givenAway(give func() bool) bool {
	c.move.mu.Lock()
	defer c.move.mu.Unlock()
	c.move.frozen.Store(true)
	defer c.move.frozen.Store(false)
	if !give() {
		return false
	}
	c.http.StopTracking()
	_ = c.Close() // this copy; nothing was written to it
	return true
}

// rest returns how long the program would wait for the next request, as handover.Item has it.
func (c *conn) rest() time.Duration {
	if f := c.move.first.Load(); f != nil {
		return handover.Left(f.until)
	}
	return handover.Left(decodeTime(c.move.deadline.Load()))
}

// Interrupt has a Read that waits for the next request return, if the connection can move. It
// reports whether it can, or is moving already: then its reading side, which the receiver has
// too, must not be shut down.
func (t *Tracked) Interrupt() (moves bool) {
	c := (*conn)(t)
	if c.mover() == nil {
		return false
	}
	if !c.move.mu.TryLock() {
		return true
	}
	defer c.move.mu.Unlock()
	return c.interrupt()
}

// interrupt is what Interrupt does while it holds mu. The connection may stay since Interrupt has looked.
func (c *conn) interrupt() bool {
	if c.move.stays.Load() || c.move.writes.Load() > 0 || !c.http.Movable() {
		return false
	}
	c.move.interrupted.Store(true)
	_ = c.socket.SetReadDeadline(longAgo) // fails if the program has closed it
	return true
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// resume ends an interruption after a Read, if there was one: the read deadline is the
// program's again. It reports whether the Read is to be repeated, because it has failed
// for no other reason.
func (c *conn) resume(n int, err error) (again bool) {
	if !c.move.interrupted.Load() {
		return false
	}
	c.move.mu.Lock()
	defer c.move.mu.Unlock()
	c.move.interrupted.Store(false)
	c.setReadDeadline(time.Time{})
	if again = n == 0 && errors.Is(err, os.ErrDeadlineExceeded); !again {
		c.move.first.Store(nil)
	}
	return again
}

// setReadDeadline sets the read deadline to the program's, or to end if that is earlier and not zero. The program may set another meanwhile.
func (c *conn) setReadDeadline(end time.Time) {
	for set := false; !set; {
		d := c.move.deadline.Load()
		t := decodeTime(d)
		if !end.IsZero() && (t.IsZero() || end.Before(t)) {
			t = end
		}
		_ = c.socket.SetReadDeadline(t) // fails if the program has closed it
		set = d == c.move.deadline.Load()
	}
}

// stay makes a connection one that isn't moved, because bytes pass unseen from now on.
func (c *conn) stay() {
	c.move.stays.Store(true)
	c.awaitMove() // no Interrupt runs afterwards
	c.resume(0, nil)
}

// writeStarts is called before everything that writes, and writeEnds afterwards.
func (c *conn) writeStarts() {
	c.move.writes.Add(1)
	for c.move.frozen.Load() {
		c.move.writes.Add(-1)
		c.awaitMove()
		c.move.writes.Add(1)
	}
}

// awaitMove waits until it is known who has the connection, and no Interrupt runs.
func (c *conn) awaitMove() {
	c.move.mu.Lock()
	defer c.move.mu.Unlock()
}

// writeEnds interrupts a Read that waits while another goroutine answers, if the connection is to move: the client may never be silent for
// as long as it takes until the next tick.
func (c *conn) writeEnds() {
	if c.move.writes.Add(-1) == 0 && (c.shared.Draining.Load() || c.move.spare.Load() != nil) {
		(*Tracked)(c).Interrupt()
	}
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	c.move.deadline.Store(encodeTime(t))
	return c.socket.SetDeadline(t)
}

// SetReadDeadline sets the deadline of Read.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.move.deadline.Store(encodeTime(t))
	return c.socket.SetReadDeadline(t)
}

// started is the base of encoded times: they keep to the monotonic clock.
var started = time.Now()

// encodeTime returns t as an integer. The zero time is 0.
func encodeTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if d := int64(t.Sub(started)); d != 0 {
		return d
	}
	return 1
}

// decodeTime is the reverse of encodeTime. Times that are centuries away come back as ones
// that are centuries away.
func decodeTime(d int64) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return started.Add(time.Duration(d))
}

// File returns a duplicate, which the caller closes. The connection isn't moved any more.
func (c *tcpConn) File() (*os.File, error) {
	c.stay()
	return c.TCPConn.File()
}

// File returns a duplicate, which the caller closes. The connection isn't moved any more.
func (c *unixConn) File() (*os.File, error) {
	c.stay()
	return c.UnixConn.File()
}

// CloseWrite closes the writing side. The connection isn't moved any more.
func (c *tcpConn) CloseWrite() error {
	c.stay()
	return c.TCPConn.CloseWrite()
}

// CloseWrite closes the writing side. The connection isn't moved any more.
func (c *unixConn) CloseWrite() error {
	c.stay()
	return c.UnixConn.CloseWrite()
}
