package listentest

import (
	"errors"
	"net"
	"os"
	"time"
)

var deadlineCases = []testCase{
	{"DeadlineWakesAccept", "net.Conn on deadlines: it applies to pending I/O; os.ErrDeadlineExceeded tells that it is reached.", "", deadlineWakesAccept},
	{"DeadlineExpires", "net.TCPListener: SetDeadline sets the deadline associated with the listener.", "", deadlineExpires},
	{"DeadlineReset", "net.TCPListener: a zero time value disables the deadline.", "", deadlineReset},
	{"DeadlineAfterClose", "net.ErrClosed: the error returned by a call on what has already been closed.", "", deadlineAfterClose},
}

// Times that are far from now on either side.
var (
	longAgo = time.Unix(1, 0)
	never   = time.Time{}
)

// setDeadline calls SetDeadline of a listener. Not each has it.
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

// wantTimeout also wants what net.Error says of it.
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
	t.mustSetDeadline(ln, time.Now().Add(t.belief()))
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
