package workerproc

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/rota-go/rota/internal/http1"
	"github.com/rota-go/rota/internal/pace"
)

// watch is what the conns of one listener share.
type watch struct {
	draining *atomic.Bool // set once, by the drain
	pace     *pace.Pace   // in a drain: at which the clients are told
	closed   func(*conn)  // called once for each conn, after it has been closed
	opaque   bool         // count only
}

// conn is the counted, tracked part of what Accept returns.
//
// Bytes pass through it unchanged, except that in a drain an HTTP/1 answer gets
// [http1.Line] after its status line. Two ends come from here, both only in a
// drain and only where the client has nothing unanswered: Read gives io.EOF after
// an announced answer (over), and a connection idle for long ends (idleTick).
//
// What the program moves past Read, Write, ReadFrom and WriteTo is not seen:
// net.Buffers (which finds the unexported writev of the embedded conn),
// SyscallConn, File, and the packet methods of a UnixConn. A program that answers
// through these is not helped, and not disturbed either.
type conn struct {
	prev, next *conn // the drain's list, under the drain's mutex

	inner net.Conn // owned; the same that the outer type embeds
	w     *watch

	// dark is set for good when there is nothing (more) to track.
	dark atomic.Bool
	// busy is kept from when the conn is followed; until then the phase says as much.
	// It is false from the beginning and whenever a Read with room for more
	// than a byte is going on, the program's way to ask for a next request. A Read
	// of one byte asks for nothing: it is net/http's look-out for the client's
	// hang-up while a handler runs.
	busy atomic.Bool
	// inHand says, of a dark conn, that something was read since the last Write.
	inHand atomic.Bool
	ended  atomic.Bool // Read gives io.EOF from now on
	gone   atomic.Bool // closed has been called

	phase atomic.Uint32 // until the conn is followed; see conn_light.go
	ahead atomic.Uint32 // see phase begun
	known atomic.Bool   // so far the program has answered as HTTP/1
	sends atomic.Bool   // ReadFrom sends what is not looked at, to its end

	mu    sync.Mutex // guards what follows; never held while the conn blocks
	track http1.Tracker
	owed  string // the rest of a Line that an interrupted Write has cut

	events uint32 // the drain's: track.Events at the last tick
	ticks  int    // the drain's: how many ticks that has not changed
	hooked uint32 // the drain's: track.Events at the last expectsRequest
}

// The depth of the embedded fields decides: conn's Read, Write and Close are
// found before those of the net type, and everything else is the net type's.
type (
	lowerTCP  struct{ *net.TCPConn }
	lowerUnix struct{ *net.UnixConn }
	lowerAny  struct{ net.Conn }

	tcpConn struct {
		conn
		lowerTCP
	}
	unixConn struct {
		conn
		lowerUnix
	}
	// anyConn counts a conn of a type that this package does not know. It is
	// never tracked, and what the type has beyond net.Conn is reached by NetConn.
	//
	// A *tls.Conn is of no use to net/http in this form: it would not be seen to be
	// one, so Request.TLS would be nil and HTTP/2 would fail where it was
	// negotiated. TLS goes on top of rota's listener, tls.NewListener(ln, config),
	// not below it.
	anyConn struct {
		conn
		lowerAny
	}
	// halfConn is an anyConn that can also end its writing side by itself.
	halfConn struct {
		anyConn
		half halfCloser
	}
	halfCloser interface{ CloseWrite() error }
)

// newConn returns what Accept gives to the program, and its tracked part for
// the drain's list. It takes over inner.
func newConn(inner net.Conn, w *watch) (net.Conn, *conn) {
	switch inner := inner.(type) {
	case *net.TCPConn:
		c := &tcpConn{lowerTCP: lowerTCP{inner}}
		return c, c.init(inner, w, w.opaque)
	case *net.UnixConn:
		c := &unixConn{lowerUnix: lowerUnix{inner}}
		packets := inner.LocalAddr().Network() != "unix"
		return c, c.init(inner, w, w.opaque || packets)
	}
	if half, ok := inner.(halfCloser); ok {
		c := &halfConn{anyConn{lowerAny: lowerAny{inner}}, half}
		return c, c.init(inner, w, true)
	}
	c := &anyConn{lowerAny: lowerAny{inner}}
	return c, c.init(inner, w, true)
}

func (c *conn) init(inner net.Conn, w *watch, dark bool) *conn {
	c.inner, c.w = inner, w
	if dark {
		c.dark.Store(true)
		c.phase.Store(followed)
	}
	return c
}

// Close closes the conn. The first call also counts it out.
func (c *conn) Close() error {
	err := c.inner.Close()
	if c.gone.CompareAndSwap(false, true) {
		c.w.closed(c)
	}
	return err
}

// NetConn returns the conn that is counted. Closing it instead of the counted
// one leaves the count wrong.
func (c *anyConn) NetConn() net.Conn { return c.inner }

// CloseWrite ends the writing side of the conn.
func (c *halfConn) CloseWrite() error { return c.half.CloseWrite() }
