package workerproc

import (
	"io"
	"math"
	"syscall"
)

// ReadFrom sends from r, by sendfile or splice where the net package can. Only
// what the tracker must see takes the way through Write: a head, a chunk's size,
// the first bytes of a protocol that is not known yet.
func (c *tcpConn) ReadFrom(r io.Reader) (sum int64, err error) {
	for ended := false; !ended && err == nil; {
		var n int64
		switch left := c.unseen(); left {
		case 0:
			n, ended, err = c.sendSeen(r)
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

// unseen returns how many bytes may be sent next without a look at them.
func (c *conn) unseen() int64 {
	if c.dark.Load() {
		return math.MaxInt64
	}
	switch c.phase.Load() {
	case answering, peeked, behind:
		return math.MaxInt64
	case asking, begun, inHand, headHand, unclear:
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owed != "" {
		return 0
	}
	return c.track.Body()
}

// sendSeen sends one buffer of r through Write.
func (c *tcpConn) sendSeen(r io.Reader) (sent int64, ended bool, err error) {
	buf := make([]byte, 4096)
	n, err := r.Read(buf)
	if err == io.EOF {
		ended, err = true, nil
	}
	if n > 0 {
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
	if u, ok := r.(*unixConn); ok { // splice knows only the net package's own
		u.giveUp()
		r = u.UnixConn
	}
	c.busy.Store(true)
	c.inHand.Store(false)
	c.sends.Store(true)
	defer c.sends.Store(false)
	if c.unseen() != math.MaxInt64 { // a Read has begun since
		c.giveUp()
	}
	n, err := c.TCPConn.ReadFrom(r)
	c.skip(n, err)
	return n, err
}

// sendBody sends up to left bytes of r. The net package looks through one
// io.LimitedReader, so there is never more than one here.
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
	c.skip(n, err)
	return n, n < want || want < left, err
}

// skip tells the tracker of a part of a body that it has not seen.
func (c *conn) skip(n int64, err error) {
	if err != nil {
		c.giveUp()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.Load() == followed {
		c.track.Skip(n)
	}
}

// WriteTo writes to w what the client sends, until it ends: the program has made
// a tunnel of the conn, which is left alone from here on.
func (c *tcpConn) WriteTo(w io.Writer) (int64, error) {
	c.giveUp()
	return c.TCPConn.WriteTo(w)
}

// seenConn is a RawConn like any, but os.File cannot get at the descriptor to
// copy past Read and Write. It copies from a file by the conn's ReadFrom then,
// by sendfile still where that is TCP's.
type seenConn struct{ syscall.RawConn }

// SyscallConn returns a raw conn. What is done with it is not tracked.
func (c *tcpConn) SyscallConn() (syscall.RawConn, error) { return c.raw(c.TCPConn) }

// SyscallConn returns a raw conn. What is done with it is not tracked.
func (c *unixConn) SyscallConn() (syscall.RawConn, error) { return c.raw(c.UnixConn) }

func (c *conn) raw(inner syscall.Conn) (syscall.RawConn, error) {
	raw, err := inner.SyscallConn()
	if err != nil || c.dark.Load() {
		return raw, err
	}
	return seenConn{raw}, nil
}
