package e2etest

import (
	"net"
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
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = c.Write(make([]byte, 1<<20))
	}
	return c, func() { // it has not read all, so this resets the connection
		_ = peer.(*net.TCPConn).SetLinger(0)
		_ = peer.Close()
	}
}
