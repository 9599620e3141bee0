package e2etest

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// SlowToClose returns a connection whose last close blocks for a minute, or until release is
// called: it has SO_LINGER, and bytes that the other side doesn't take. The caller closes it.
func SlowToClose(t testing.TB) (c *net.TCPConn, release func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c = out.(*net.TCPConn)
	_ = c.SetLinger(60)
	fill(t, c)
	return c, func() { // it has not read all, so this resets the connection
		_ = peer.(*net.TCPConn).SetLinger(0)
		_ = peer.Close()
	}
}

// fill writes to c until no byte more goes in for 100 milliseconds. A write that fails before
// the first byte means that the machine was slow, and is tried again.
func fill(t testing.TB, c *net.TCPConn) {
	t.Helper()
	for total, full := 0, false; !full; {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := c.Write(make([]byte, 1<<20))
		total += n
		full = n == 0 && total > 0
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}
