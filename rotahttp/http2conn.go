package rotahttp

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// preface is what an HTTP/2 client sends first (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

var errPreface = errors.New("not HTTP/2: the client did not send the connection preface")

// http2Conn is an HTTP/2 connection on which a GOAWAY can be inserted between the frames
// that net/http writes. net/http closes it.
type http2Conn struct {
	net.Conn
	prefaceLeft string // what Read still expects of the preface, and skips; used by the reader alone
	ended       func() // called after the GOAWAY, and ends the connection; nil: Shutdown does
	times       goAwayTimes
	answers     answerTracker // used by the reader alone

	mu      sync.Mutex // held during a write
	written frameTracker
	goAway  goAwayState
}

// goAwayState says whether the first GOAWAY was sent.
type goAwayState int

const (
	goAwayNone    goAwayState = iota
	goAwayPending             // it is written at the next frame boundary
	goAwaySent
)

// http2TLSConn is an http2Conn over TLS. net/http takes Request.TLS from it.
type http2TLSConn struct {
	*http2Conn
	tls *tls.Conn
}

func (c *http2TLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// accepted returns the conn that the program's listener returned, or the tls.Conn on it.
func (c *http2Conn) accepted() net.Conn { return c.Conn }

// Read reads what follows the preface. It fails with errPreface if the client sends
// something else.
func (c *http2Conn) Read(p []byte) (int, error) {
	for c.prefaceLeft != "" {
		var b [len(preface)]byte
		n, err := c.Conn.Read(b[:len(c.prefaceLeft)])
		if string(b[:n]) != c.prefaceLeft[:n] {
			return 0, errPreface
		}
		c.prefaceLeft = c.prefaceLeft[n:]
		if err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	c.readFrames(p[:n])
	return n, err
}

// readFrames notices the answer to the PING in p, which was read and follows the preface.
func (c *http2Conn) readFrames(p []byte) {
	if c.answers.read(p) {
		c.times.answer()
	}
}

// Write writes p. A pending GOAWAY is written at the first frame boundary in p.
func (c *http2Conn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n < len(p) && err == nil {
		part := p[n:]
		if c.goAway == goAwayPending {
			part = part[:c.written.advanceToBoundary(part)]
		} else {
			c.written.advance(part)
		}
		var k int
		k, err = c.Conn.Write(part)
		n += k
		if err == nil {
			err = c.writePendingGoAway()
		}
	}
	return n, err
}

// leave sends the GOAWAY, and has the connection end.
func (c *http2Conn) leave() {
	c.sendGoAway()
	if c.ended != nil {
		c.ended()
	}
}

// sendGoAway writes the GOAWAY now if the connection is at a frame boundary, and otherwise
// leaves it to the next Write.
func (c *http2Conn) sendGoAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goAway = goAwayPending
	_ = c.writePendingGoAway() // net/http's next read or write fails too
}

// writePendingGoAway writes the GOAWAY if it is pending and the connection is at a frame
// boundary. c.mu is held.
func (c *http2Conn) writePendingGoAway() error {
	if c.goAway != goAwayPending || !c.written.atBoundary() {
		return nil
	}
	c.goAway = goAwaySent
	_, err := c.Conn.Write(goAwayFrames)
	return err
}
