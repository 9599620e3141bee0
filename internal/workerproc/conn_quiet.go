package workerproc

import "net"

// quiet reports whether closing the conn now takes nothing from its client that
// the program has promised: it asks for more input and has none in hand.
func (c *conn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.sync() || c.busy.Load() {
		return false
	}
	if c.track.Dark() || c.dark.Load() {
		return !c.inHand.Load()
	}
	return c.track.Rest() || c.track.Events() == 0
}

// over reports whether Read is to give io.EOF for good: the latest answer said
// so, nothing is unanswered, and nothing waits to be read. What waits is still
// served, even from a client that goes on after it has been told; and a conn whose
// answer has not all gone out stays open for a while, to be ended by idleTick: input
// that meets a closed one makes the kernel throw the rest of the answer away.
func (c *conn) over() bool {
	if c.ended.Load() {
		return true
	}
	if c.dark.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sync() && c.track.Over() && !c.waiting() && !c.sending() {
		c.ended.Store(true)
		return true
	}
	return false
}

// idleTick is called at each tick of a drain, by one goroutine. At the limit-th
// tick in a row of an HTTP/1 conn at rest, the conn is ended; at the next already if
// the client has been told, and the program's Read is older than that (see over).
//
// It is ended by shutting down its reading side: a Read that waits gives io.EOF,
// input that has come in the meantime is still read first, and the program's own
// deadlines need not be known.
func (c *conn) idleTick(limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if events := c.track.Events(); !c.sync() || c.busy.Load() || !c.track.Rest() || events != c.events {
		c.events, c.ticks = events, 0
		return
	}
	if c.ticks++; c.ticks < limit && !c.track.Over() {
		return
	}
	if c.waiting() || c.sending() { // the program is about to read it; see over
		c.ticks = 0
		return
	}
	c.inner.(interface{ CloseRead() error }).CloseRead()
}

// waiting reports whether input waits that the program has not read, where the
// platform can tell.
func (c *conn) waiting() bool {
	switch inner := c.inner.(type) {
	case *net.TCPConn:
		return unread(inner)
	case *net.UnixConn:
		return unread(inner)
	}
	return false
}

// sending reports whether some of the program's bytes have not left for the client yet,
// where the platform can tell.
func (c *conn) sending() bool {
	inner, ok := c.inner.(*net.TCPConn)
	return ok && unsent(inner)
}
