// Package conn has the connections that a worker's Accept returns. They are those of
// package net, counted, and watched by package http1 so that a drain can end HTTP/1
// connections between two requests.
package conn

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/http1"
	"github.com/rota-go/rota/internal/ratelimit"
)

// Shared is what the connections of one listener have in common.
type Shared struct {
	Draining *atomic.Bool       // set once, when the drain begins
	Limiter  *ratelimit.Limiter // of the clients that are told to reconnect; started before Draining is set
	Closed   func(*Tracked)     // called once for each connection, after it has been closed
	Opaque   bool               // connections are only counted, never tracked

	Cookie uint64                          // of the socket, by which the receiver knows it; 0: the connections stay
	Stay   bool                            // the program may hand connections over, but the drain doesn't move them
	Moved  *atomic.Int64                   // counts the connections that have moved to another worker; may be nil
	Mover  *atomic.Pointer[handover.Mover] // nil in it until the worker has a receiver; needed with Cookie

	// Rest has a duplicate of a connection rest until its client sends; left is how long the program would wait for
	// that, 0: it sets no time. It reports false if it can't. It is needed with NewUsed.
	Rest func(c net.Conn, left time.Duration) bool
}

// conn is the counted, tracked part of what Accept returns.
//
// Bytes pass through it unchanged, except that in a drain an HTTP/1 answer gets
// [http1.Line] after its status line, and in its head "keep-alive" as the value of the
// field Connection becomes "close". It ends a connection only in a drain, and only
// while the client has nothing unanswered: Read returns io.EOF after an announced
// answer (finished), and a connection that is idle for long has its reading side shut
// down (Tracked.Tick).
//
// What the program moves past Read, Write, ReadFrom and WriteTo is not seen:
// net.Buffers (which finds the unexported writev of the embedded conn), SyscallConn,
// File, and the packet methods of a UnixConn. The answers of a program that uses these
// are not changed.
type conn struct {
	prev, next *Tracked // guarded by the owner of the List

	socket socket
	shared *Shared
	http   http1.Observer
	move   move

	note   any          // see SetNote
	silent atomic.Int32 // how often in a row later has found the program to be silent
	ended  atomic.Bool  // Read returns io.EOF from now on
	closed atomic.Bool  // Shared.Closed has been called
}

// Tracked is the part of a connection that a drain works with. It is a type of its own
// so that these methods are not among those of what Accept returns.
type Tracked conn

// The depth of the embedded fields decides: conn's Read, Write and Close are found
// before those of the net type, and everything else is the net type's.
type (
	embeddedTCP  struct{ *net.TCPConn }
	embeddedUnix struct{ *net.UnixConn }
	embeddedAny  struct{ net.Conn }

	tcpConn struct {
		conn
		embeddedTCP
	}
	unixConn struct {
		conn
		embeddedUnix
	}
	// anyConn is a connection of a type that this package doesn't know. It is only
	// counted. The methods that its type has beyond net.Conn are reached by NetConn.
	//
	// A *tls.Conn is of no use to net/http in this form, which doesn't recognise it:
	// Request.TLS would be nil, and HTTP/2 would fail where it was negotiated. TLS
	// goes on top of rota's listener, tls.NewListener(ln, config), not below it.
	anyConn struct {
		conn
		embeddedAny
	}
	// halfConn is an anyConn that can also close its writing side alone.
	halfConn struct {
		anyConn
		half halfCloser
	}
	halfCloser interface{ CloseWrite() error }
)

// New returns what Accept returns to the program, and its tracked part. The result
// owns inner: closing it closes inner.
func New(inner net.Conn, shared *Shared) (net.Conn, *Tracked) {
	switch inner := inner.(type) {
	case *net.TCPConn:
		c := &tcpConn{embeddedTCP: embeddedTCP{inner}}
		return c, c.init(inner, shared, !shared.Opaque)
	case *net.UnixConn:
		c := &unixConn{embeddedUnix: embeddedUnix{inner}}
		stream := inner.LocalAddr().Network() == "unix"
		return c, c.init(inner, shared, !shared.Opaque && stream)
	}
	if half, ok := inner.(halfCloser); ok {
		c := &halfConn{anyConn{embeddedAny: embeddedAny{inner}}, half}
		return c, c.init(inner, shared, false)
	}
	c := &anyConn{embeddedAny: embeddedAny{inner}}
	return c, c.init(inner, shared, false)
}

// ReadCloser is a connection whose reading side can be closed alone.
type ReadCloser interface {
	net.Conn
	CloseRead() error
}

// NewTracked is New for an inner connection of any type, which is tracked as a TCP
// connection is. Tests use it for connections in memory.
func NewTracked(inner ReadCloser, shared *Shared) (net.Conn, *Tracked) {
	c := &anyConn{embeddedAny: embeddedAny{inner}}
	return c, c.init(inner, shared, true)
}

func (c *conn) init(inner net.Conn, shared *Shared, track bool) *Tracked {
	c.socket.Conn, c.shared = inner, shared
	if !track {
		c.http.Ignore()
	}
	return (*Tracked)(c)
}

// Inner returns the connection of package net that c, a result of New, is made of.
func Inner(c net.Conn) net.Conn { return baseOf(c).socket.Conn }

// Release counts c, a result of New, as closed, and leaves it open: the program goes on with
// its Inner alone.
func Release(c net.Conn) {
	base := baseOf(c)
	base.stay()
	base.countOut()
}

// baseOf returns the counted, tracked part of c.
func baseOf(c net.Conn) *conn { return c.(interface{ base() *conn }).base() }

func (c *conn) base() *conn { return c }

// Close closes the connection. The first call also calls Shared.Closed.
func (c *conn) Close() error {
	err := c.socket.Close()
	c.countOut()
	return err
}

// countOut calls Shared.Closed, once.
func (c *conn) countOut() {
	if c.closed.CompareAndSwap(false, true) {
		c.shared.Closed((*Tracked)(c))
	}
}

// SaysClose reports whether the conn itself puts "Connection: close" into an HTTP/1
// answer of a drain. Package rotahttp asks, so that the answer doesn't say it twice.
func (c *conn) SaysClose() bool { return !c.http.Untracked() }

// SetNote has the connection keep something for package rotahttp, which so finds it without
// a map at each request. It is called before the connection is used.
func (c *conn) SetNote(note any) { c.note = note }

// Note returns what SetNote was given.
func (c *conn) Note() any { return c.note }

// NetConn returns the connection that is counted. If it is closed instead of the
// anyConn, the count is wrong.
func (c *anyConn) NetConn() net.Conn { return c.socket.Conn }

// CloseWrite closes the writing side of the connection.
func (c *halfConn) CloseWrite() error { return c.half.CloseWrite() }

// Close closes the connection, as the program's Close does.
func (t *Tracked) Close() error { return (*conn)(t).Close() }

// Of reports whether the connection is of the listener that shared belongs to.
func (t *Tracked) Of(shared *Shared) bool { return t.shared == shared }

// EndReading has the program's Read return io.EOF, after what has arrived, as if the client
// had gone. Where the reading side can't be closed alone, it closes the connection.
func (t *Tracked) EndReading() {
	t.http.EndNow()
	t.move.mu.Lock() // a shutdown would be that of another process too, to which it moves
	defer t.move.mu.Unlock()
	if r, ok := t.socket.Conn.(ReadCloser); ok {
		_ = r.CloseRead() // the program or its client may have closed it
		return
	}
	_ = t.Close()
}

// Quiet reports whether closing the connection now takes nothing from its client that
// the program has promised; see [http1.Observer.Quiet].
func (t *Tracked) Quiet() bool { return t.http.Quiet() }

// Hasten is called in the last half of a drain; see [http1.Observer.Hasten].
func (t *Tracked) Hasten() { t.http.Hasten() }

// Tick is called at each tick of a drain, by one goroutine, with the number of ticks since the
// drain began. A connection that can move is interrupted, see Interrupt; another one ends at the
// limit-th tick in a row at which it is at rest, see [http1.Observer.IdleTick]. Tick reports whether the
// client may send, or has just sent, a request that the program hasn't begun to handle; see
// [http1.Observer.ExpectsRequest].
func (t *Tracked) Tick(ticks, limit int) (expects bool) {
	if !t.Interrupt() {
		t.idleTick(limit)
	}
	return t.http.ExpectsRequest(ticks)
}

func (t *Tracked) idleTick(limit int) {
	if t.move.mu.TryLock() { // or it moves at this moment
		defer t.move.mu.Unlock()
		t.http.IdleTick(limit, &t.socket)
	}
}
