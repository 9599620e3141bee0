package conn

import (
	"io"
	"math"
	"net"
	"syscall"
	"time"
)

const (
	laterTick = 5 * time.Millisecond // see conn.later
	maxSilent = int32(lastWords / laterTick)
)

// Read reads from the connection. In a drain it returns io.EOF where an HTTP/1 program
// reads the next request after the client was told that there is none, and when the
// connection has moved to another process.
func (c *conn) Read(p []byte) (n int, err error) {
	for asks := true; asks || c.skipBlank(p, &n) || c.resume(n, err) || c.later(n, err); asks = false {
		if c.ended.Load() {
			return 0, io.EOF
		}
		if c.http.Asks(len(p)) {
			c.http.OnReadStart()
			if c.leaves(asks) {
				return 0, io.EOF
			}
			if f := c.move.first.Load(); f != nil {
				if err := c.onFirst(f); err != nil {
					return 0, err
				}
			}
		}
		n, err = c.socket.Read(p)
	}
	if n > 0 {
		c.http.OnRead(p[:n], c.shared.Draining.Load())
	}
	return n, err
}

// later reports whether a Read that has met the end is to be repeated, and waits: the drain
// has shut down the reading side, and a request that crossed that isn't answered yet. The
// connection is asked again and again, so that deadlines and Close hold meanwhile. Otherwise
// Read returns io.EOF from then on, although the kernel may have more: the program has given
// up what it had half of, and a whole request that the rest seems to be would never be answered.
func (c *conn) later(n int, err error) (again bool) {
	if err != io.EOF || n > 0 {
		return false
	}
	if !c.http.MustAnswer(&c.socket) || c.silent.Load() >= maxSilent {
		c.ended.Store(true)
		return false
	}
	time.Sleep(laterTick)
	if c.silent.Add(1); !c.socket.hidesEnd() || !c.http.Quiet() {
		c.silent.Store(0)
	}
	return true
}

// finished reports whether Read returns io.EOF, and then does so from then on.
func (c *conn) finished() bool {
	if !c.http.Finished(&c.socket) {
		return false
	}
	c.ended.Store(true)
	return true
}

// Write writes to the connection. In a drain the head of an HTTP/1 answer gets
// [http1.Line], which the result doesn't count.
func (c *conn) Write(p []byte) (n int, err error) {
	c.writeStarts()
	switch {
	case !c.shared.Draining.Load() && c.http.Answers(p):
		n, err = c.writeAnswer(p)
	case c.http.Untracked():
		c.http.OnWrite(p)
		n, err = c.socket.Write(p)
	default:
		n, err = c.writeTracked(p)
	}
	c.writeEnds()
	return n, err
}

// writeAnswer writes the whole answer to the one request that was read. The request counts as
// one that isn't answered until this is recorded.
func (c *conn) writeAnswer(p []byte) (n int, err error) {
	if n, err = c.socket.Write(p); err != nil {
		c.http.StopTracking() // nobody knows what the client has got of it
		return n, err
	}
	c.http.Answered(p)
	return n, nil
}

func (c *conn) writeTracked(p []byte) (int, error) {
	if c.shared.Draining.Load() {
		return c.writeAnnounced(p)
	}
	c.http.OnWrite(p)
	n, err := c.socket.Write(p)
	if err != nil {
		c.http.StopTracking() // the Observer knows of bytes that were not written
	}
	return n, err
}

// writeAnnounced is Write in a drain.
func (c *conn) writeAnnounced(p []byte) (int, error) {
	parts := c.http.Split(p, c.shared.Limiter, c.mover() != nil, &c.socket)
	if len(parts) == 1 {
		n, err := c.socket.Write(parts[0])
		return c.http.Wrote(parts, int64(n), err), err
	}
	// One writev: the line costs no packet, and goes out together with its head.
	rest := append(net.Buffers(nil), parts...)
	sent, err := rest.WriteTo(c.socket.Conn)
	return c.http.Wrote(parts, sent, err), err
}

// ReadFrom sends from r, by sendfile or splice where the net package can. Only what
// the Observer must see goes through Write: a head, a chunk's size, the first bytes of
// a protocol that isn't known yet.
func (c *tcpConn) ReadFrom(r io.Reader) (sum int64, err error) {
	c.writeStarts()
	defer c.writeEnds()
	var buf []byte
	for ended := false; !ended && err == nil; {
		var n int64
		switch left := c.http.Unseen(); left {
		case 0:
			if buf == nil {
				buf = make([]byte, 4096)
			}
			n, ended, err = c.sendSeen(r, buf, sum > 0)
		case math.MaxInt64:
			ended = true
			n, err = c.sendRest(r)
		default:
			n, ended, err = c.sendBody(r, left)
		}
		sum += n
	}
	return sum, err
}

// sendSeen sends one buffer of r through Write. goesOn tells that it isn't the first of this copy.
func (c *tcpConn) sendSeen(r io.Reader, buf []byte, goesOn bool) (sent int64, ended bool, err error) {
	n, err := r.Read(buf)
	if err == io.EOF {
		ended, err = true, nil
	}
	if n > 0 {
		if goesOn && c.shared.Draining.Load() && c.http.AfterAnswer() {
			c.move.stays.Store(true) // a copy of one answer after the other: it goes on where the connection is at rest
		}
		k, werr := c.Write(buf[:n])
		if werr != nil {
			err = werr
		}
		return int64(k), ended, err
	}
	return 0, ended, err
}

// sendRest sends all of r: nothing after it can be told from a body.
func (c *tcpConn) sendRest(r io.Reader) (int64, error) {
	if u, ok := r.(*unixConn); ok { // the net package splices only from its own types
		u.http.StopTracking()
		u.stay()
		r = u.UnixConn
	}
	c.http.OnCopy()
	n, err := c.TCPConn.ReadFrom(r)
	c.http.Skip(n, err)
	return n, err
}

// sendBody sends up to left bytes of r. The net package recognises a file below one
// io.LimitedReader, not below two, so there is never more than one here.
func (c *tcpConn) sendBody(r io.Reader, left int64) (n int64, ended bool, err error) {
	limited := &io.LimitedReader{R: r, N: left}
	outer, ok := r.(*io.LimitedReader)
	if ok {
		limited.R, limited.N = outer.R, min(left, outer.N)
	}
	want := limited.N
	n, err = c.TCPConn.ReadFrom(limited)
	if ok {
		outer.N -= n
	}
	c.http.Skip(n, err)
	return n, n < want || want < left, err
}

// WriteTo writes to w what the client sends, until it ends. The program has made a
// tunnel of the connection, which is not tracked from here on.
func (c *tcpConn) WriteTo(w io.Writer) (int64, error) {
	c.http.StopTracking()
	c.stay()
	if c.http.ReadClosed() { // what net would take for the end isn't the client's; see later
		return io.Copy(w, struct{ io.Reader }{c})
	}
	return c.TCPConn.WriteTo(w)
}

// rawConn is a RawConn whose type os.File doesn't know: it can't use the descriptor to
// copy past Read and Write, and copies by the conn's ReadFrom, which still uses
// sendfile for TCP.
type rawConn struct{ syscall.RawConn }

// SyscallConn returns a raw connection. What is done with it is not tracked.
func (c *tcpConn) SyscallConn() (syscall.RawConn, error) { return c.raw(c.TCPConn) }

// SyscallConn returns a raw connection. What is done with it is not tracked.
func (c *unixConn) SyscallConn() (syscall.RawConn, error) { return c.raw(c.UnixConn) }

func (c *conn) raw(inner syscall.Conn) (syscall.RawConn, error) {
	c.stay()
	raw, err := inner.SyscallConn()
	if err != nil || c.http.Untracked() {
		return raw, err
	}
	return rawConn{raw}, nil
}
