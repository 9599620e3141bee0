//go:build linux

package sharedsocket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// newLazy returns the listener of a worker on trial for a new socket, and the socket's
// inode number.
func newLazy(t *testing.T, network, address string) (net.Listener, uint64) {
	t.Helper()
	original, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := original.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	fd, err := descriptor.DupOf(original)
	if err != nil {
		t.Fatal(err)
	}
	original.Close()
	defer fd.Close()
	inner, err := fd.Listener()
	if err != nil {
		t.Fatal(err)
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd.Int(), &stat); err != nil {
		t.Fatal(err)
	}
	ln := Lazy(inner, fd)
	t.Cleanup(func() { ln.Close() })
	return ln, stat.Ino
}

// polled returns how often this process's pollers have the socket.
func polled(t *testing.T, inode uint64) (n int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(fds) == 0 {
		t.Skip("no /proc")
	}
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); to != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + filepath.Base(fd))
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(info), fmt.Sprintf(" ino:%x ", inode))
	}
	return n
}

// Connections that other processes accept don't wake a worker on trial.
func TestLazyListenerIsNotPolled(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": t.TempDir() + "/socket"} {
		ln, inode := newLazy(t, network, address)
		if n := polled(t, inode); n != 0 {
			t.Errorf("%s: in a poller before the first Accept", network)
		}
		client, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		if n := polled(t, inode); n != 1 {
			t.Errorf("%s: in %d pollers after it, want 1", network, n)
		}
	}
}

// Every method of package net's listener opens a LazyListener.
func TestLazyListenerOpens(t *testing.T) {
	uses := map[string]func(*LazyListener) error{
		"deadline":     func(s *LazyListener) error { return s.SetDeadline(time.Now().Add(-time.Second)) },
		"syscall conn": func(s *LazyListener) error { _, err := s.SyscallConn(); return err },
	}
	for name, use := range uses {
		ln, inode := newLazy(t, "tcp", "127.0.0.1:0")
		if err := use(ln.(*LazyListener)); err != nil || polled(t, inode) != 1 {
			t.Errorf("%s: %v, polled %d times", name, err, polled(t, inode))
		}
	}
	ln, _ := newLazy(t, "tcp", "127.0.0.1:0")
	if err := uses["deadline"](ln.(*LazyListener)); err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept after the deadline: %v", err)
	}
}

// A LazyListener that is closed fails as package net's does, whether or not it was open.
func TestLazyListenerClose(t *testing.T) {
	for _, opened := range []bool{false, true} {
		ln, inode := newLazy(t, "tcp", "127.0.0.1:0")
		if opened {
			if err := ln.(*LazyListener).SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := ln.Close(); err != nil {
			t.Errorf("opened %v: Close: %v", opened, err)
		}
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			c.Close()
			t.Errorf("opened %v: the socket is still open", opened)
		}
		_, accept := ln.Accept()
		for name, err := range map[string]error{"Accept": accept, "Close again": ln.Close(), "SetDeadline": ln.(*LazyListener).SetDeadline(time.Time{})} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("opened %v: %s: %v", opened, name, err)
			}
		}
		if n := polled(t, inode); n != 0 {
			t.Errorf("opened %v: in a poller after Close", opened)
		}
	}
}

// Another listener stays as it is.
func TestLazyOfAnotherType(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	other := struct{ net.Listener }{inner}
	if ln := Lazy(other, descriptor.New(-1)); ln != other {
		t.Errorf("it is a %T", ln)
	}
}
