//go:build linux

package workerproc

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A connection that has moved here has the keep-alive of the listener, as one that is accepted.
func TestKeepAliveOfAMovedConnection(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newTestWorker(time.Minute)
	ln := w.Track(inner)
	defer ln.Close()
	l := ln.(*tcpListener)
	l.keepAlive = net.KeepAliveConfig{Enable: true, Idle: 77 * time.Second}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dialTo(t, other)
	moved, err := other.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l.Put(moved)
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	idle := 0
	if err := raw.Control(func(fd uintptr) { idle, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) }); err != nil {
		t.Fatal(err)
	}
	if idle != 77 || err != nil {
		t.Errorf("TCP_KEEPIDLE is %d, %v, want 77", idle, err)
	}
}
