package workerproc

import (
	"io"
	"net"

	"github.com/rota-go/rota/internal/http1"
)

// Read reads from the conn. In a drain it gives io.EOF where an HTTP/1 program
// asks for the next request after the client has been told that there is none.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) > 1 {
		c.asks()
		if c.w.draining.Load() && c.over() {
			return 0, io.EOF
		}
	}
	n, err := c.inner.Read(p)
	if n > 0 {
		c.received(p[:n])
	}
	return n, err
}

func (c *conn) received(p []byte) {
	if c.w.draining.Load() {
		c.follow()
	}
	if c.glances(p) {
		return
	}
	c.busy.Store(true)
	if c.dark.Load() {
		c.inHand.Store(true)
		return
	}
	c.mu.Lock()
	c.track.Request(p)
	c.mu.Unlock()
}

// Write writes to the conn. In a drain the head of an HTTP/1 answer gets
// [http1.Line], of which the caller's count knows nothing.
func (c *conn) Write(p []byte) (int, error) {
	switch {
	case c.dark.Load():
		c.busy.Store(true)
		c.inHand.Store(false)
		return c.inner.Write(p)
	case c.w.draining.Load():
		return c.announce(p)
	case !c.answers(p):
		c.mu.Lock()
		c.track.Answer(p, false, false)
		c.settle()
		c.mu.Unlock()
	}
	n, err := c.inner.Write(p)
	if err != nil {
		c.giveUp() // the tracker knows of bytes that were not written
	}
	return n, err
}

// settle notices that the tracker has lost interest. c.mu is held.
func (c *conn) settle() {
	if c.track.Dark() && c.owed == "" && !c.dark.Swap(true) {
		c.busy.Store(true) // until it asks again
	}
}

// giveUp ends the tracking: bytes have passed, or will pass, unseen.
func (c *conn) giveUp() {
	c.mu.Lock()
	c.phase.Store(followed)
	c.track.GiveUp()
	c.settle()
	c.mu.Unlock()
}

// announce is Write in a drain.
func (c *conn) announce(p []byte) (int, error) {
	parts := c.cut(p)
	if len(parts) == 1 {
		n, err := c.inner.Write(p)
		if err != nil {
			c.giveUp()
		}
		return n, err
	}
	// One writev: the line must not cost a packet, nor be torn from its head.
	rest := append(net.Buffers(nil), parts...)
	sent, err := rest.WriteTo(c.inner)
	n, owed := count(parts, sent)
	c.mu.Lock()
	c.owed = owed
	if err != nil {
		c.track.GiveUp()
	}
	c.settle()
	c.mu.Unlock()
	return n, err
}

// cut divides p where lines belong. The parts at odd places are lines, those at
// even ones the caller's bytes. A nil part comes first where a line is owed.
func (c *conn) cut(p []byte) [][]byte {
	c.follow()
	if c.answers(p) {
		return [][]byte{p} // not yet: it was in the middle of something when the drain began
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts [][]byte
	if c.owed != "" {
		parts = append(parts, nil, []byte(c.owed))
	}
	waiting := c.track.Boundary() && c.waiting()
	for {
		told := c.track.Announced()
		n, announce := c.track.Answer(p, told || c.w.pace.Due(), waiting)
		parts = append(parts, p[:n])
		if !announce {
			c.settle()
			return parts
		}
		if !told {
			c.w.pace.Told()
		}
		parts, p = append(parts, []byte(http1.Line)), p[n:]
	}
}

// count returns how many of the caller's bytes are among the first sent ones of
// parts, and the rest of a line that is torn: the next Write owes it. A line of
// which nothing went out is simply left out.
func count(parts [][]byte, sent int64) (n int, owed string) {
	for i, part := range parts {
		k := min(int64(len(part)), sent)
		sent -= k
		if i%2 == 0 {
			n += int(k)
			continue
		}
		torn := k > 0 || i == 1 && parts[0] == nil
		if torn && k < int64(len(part)) {
			return n, string(part[k:])
		}
	}
	return n, ""
}
