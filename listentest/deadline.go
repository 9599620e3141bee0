package listentest

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

var deadlineCases = []testCase{
	{"DeadlineWakesAccept", "net.Conn: a deadline applies to pending I/O as well; after it, calls return os.ErrDeadlineExceeded.", "", deadlineWakesAccept},
	{"DeadlineExpires", "net.TCPListener: SetDeadline sets the deadline associated with the listener.", "", deadlineExpires},
	{"DeadlineReset", "net.TCPListener: a zero time value disables the deadline.", "", deadlineReset},
	{"DeadlineAfterClose", "net.ErrClosed: the error returned by a call on a listener that has already been closed.", "", deadlineAfterClose},
}

// longAgo is a deadline in the past; never removes a deadline.
var (
	longAgo = time.Unix(1, 0)
	never   = time.Time{}
)

// setDeadline calls SetDeadline of a listener. It skips the case if there is none.
func (t *trial) setDeadline(ln net.Listener, when time.Time) error {
	t.Helper()
	d, ok := ln.(interface{ SetDeadline(time.Time) error })
	if !ok {
		t.Skipf("the listener has no SetDeadline")
	}
	return soonErr(t, "SetDeadline", func() error { return d.SetDeadline(when) })
}

func (t *trial) mustSetDeadline(ln net.Listener, when time.Time) {
	t.Helper()
	if err := t.setDeadline(ln, when); err != nil {
		t.Fatalf("SetDeadline: %v", err)
	}
}

// wantTimeout checks that err is a deadline error of op and a net.Error with Timeout.
func (t *trial) wantTimeout(err error, op string) {
	t.Helper()
	t.wantOp(err, op, os.ErrDeadlineExceeded)
	if e, ok := err.(net.Error); ok && !e.Timeout() {
		t.Errorf("%s: Timeout is false: %v", op, err)
	}
}

func deadlineWakesAccept(t *trial) {
	ln := t.listen()
	t.mustSetDeadline(ln, never)
	accept := start(t, "Accept past its deadline", ln.Accept)
	accept.mustBlock()
	t.mustSetDeadline(ln, longAgo)
	t.wantTimeout(accept.waitErr(), "accept")
}

func deadlineExpires(t *trial) {
	ln := t.listen()
	t.mustSetDeadline(ln, time.Now().Add(time.Hour))
	accept := start(t, "Accept past its deadline", ln.Accept)
	accept.mustBlock()
	t.mustSetDeadline(ln, time.Now().Add(t.blockedAfter()))
	t.wantTimeout(accept.waitErr(), "accept")
}

func deadlineReset(t *trial) {
	ln := t.listen()
	t.mustSetDeadline(ln, longAgo)
	err := start(t, "Accept past its deadline", ln.Accept).waitErr()
	t.wantTimeout(err, "accept")
	t.mustSetDeadline(ln, never)
	t.exchange(t.connect(ln))
}

func deadlineAfterClose(t *trial) {
	ln := t.listen()
	t.mustSetDeadline(ln, never)
	t.must("Close", ln.Close)
	if err := t.setDeadline(ln, never); !errors.Is(err, net.ErrClosed) { // net has no OpError here
		t.Errorf("SetDeadline after Close: %v, want %v", err, net.ErrClosed)
	}
}

var connDeadlineCases = []testCase{
	{"ConnReadDeadline", "net.Conn: a deadline applies to all future I/O; it can be extended or, with a zero value, taken away.", "", connReadDeadline},
	{"ConnWriteDeadline", "net.Conn: SetWriteDeadline sets the deadline for future Write calls and any currently-blocked Write call.", "", connWriteDeadline},
	{"ConnDeadlineWakesRead", "net.Conn: SetReadDeadline sets the deadline for future Read calls and any currently-blocked Read call.", "", connDeadlineWakesRead},
}

func connReadDeadline(t *trial) {
	server, client := t.pair()
	read := func() (int, error) { return server.Read(make([]byte, 1)) }
	t.must("SetDeadline", func() error { return server.SetDeadline(time.Now().Add(time.Hour)) })
	first := start(t, "Read past its deadline", read)
	first.mustBlock()
	t.must("SetReadDeadline", func() error { return server.SetReadDeadline(time.Now().Add(t.blockedAfter())) })
	t.wantTimeout(first.waitErr(), "read")
	t.wantTimeout(start(t, "Read past its deadline", read).waitErr(), "read") // the deadline stays in force
	t.must("SetDeadline", func() error { return server.SetDeadline(never) })
	t.exchange(server, client)
}

// The client never reads, so Write blocks once the buffers are full.
func connWriteDeadline(t *trial) {
	server, client := t.pair()
	var written atomic.Int64
	t.must("SetWriteDeadline", func() error { return server.SetWriteDeadline(time.Now().Add(t.blockedAfter())) })
	err := soonErr(t, "Write past its deadline", func() error { return t.fill(server, &written) })
	t.wantTimeout(err, "write")
	t.send(client, "reading still works")
	t.receive(server, "reading still works")
}

func connDeadlineWakesRead(t *trial) {
	server, client := t.pair()
	read := start(t, "Read past its deadline", func() (int, error) { return server.Read(make([]byte, 1)) })
	read.mustBlock()
	t.must("SetReadDeadline", func() error { return server.SetReadDeadline(longAgo) })
	t.wantTimeout(read.waitErr(), "read")
	t.must("SetReadDeadline", func() error { return server.SetReadDeadline(never) })
	t.exchange(server, client)
}
