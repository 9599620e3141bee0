//go:build linux

package bind

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
)

// shutDown is what one holder of a socket can do to all.
func shutDown(t *testing.T, s syscall.Conn) (fd int) {
	t.Helper()
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(n uintptr) { fd = int(n); err = syscall.Shutdown(fd, syscall.SHUT_RDWR) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return fd
}

// A socket that was shut down listens again, on the port that it had, also on one that
// the kernel had chosen.
func TestRevive(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	for _, address := range []string{"127.0.0.1:0", ":0", "[::1]:0", free.Addr().String()} {
		ln, err := Options{}.Listen(context.Background(), "tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue // no IPv6
		}
		defer ln.Close()
		addr := ln.Addr()
		fd := shutDown(t, ln.(syscall.Conn))
		if _, err := ln.Accept(); !errors.Is(err, syscall.EINVAL) || !IsShut(fd, false, ln.Addr()) {
			t.Errorf("%s: accept: %v, is shut: %t", address, err, IsShut(fd, false, ln.Addr()))
		}
		for range 2 { // two holders
			if !Revive(ln.(syscall.Conn), addr, 0) {
				t.Fatalf("%s: not revived", address)
			}
		}
		if IsShut(fd, false, ln.Addr()) {
			t.Errorf("%s: is still shut", address)
		}
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if in, err := ln.Accept(); err != nil {
			t.Errorf("%s: %v", address, err)
		} else {
			in.Close()
		}
		c.Close()
	}
}

// The kernel remembers the shutdown of a unix socket.
func TestUnixIsNotRevived(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if fd := shutDown(t, ln.(syscall.Conn)); !IsShut(fd, false, ln.Addr()) || Revive(ln.(syscall.Conn), ln.Addr(), 0) {
		t.Errorf("is shut: %t, want true and not revived", IsShut(fd, false, ln.Addr()))
	}
}

// A socket that a holder has moved to another port is not where its clients are, and no holder can bring
// it back.
func TestMovedSocket(t *testing.T) {
	ln, err := Options{}.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := ln.Addr()
	fd := shutDown(t, ln.(syscall.Conn))
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if Revive(ln.(syscall.Conn), addr, 0) || !IsShut(fd, false, addr) {
			t.Error("it serves elsewhere, and counts as well")
		}
		if err := syscall.Listen(fd, 1); err != nil {
			t.Fatal(err)
		}
	}
	EndAccepts(fd)
	if _, err := ln.Accept(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("accept: %v", err)
	}
}
