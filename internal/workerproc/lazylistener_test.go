//go:build linux

package workerproc

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
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
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
	w := newWorker(link.Identity{ID: 1}, newFakeLink())
	w.times.Store(&wire.WelcomeBody{HoldOff: time.Second})
	ln := w.lazyOnTrial(inner, fd)
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

// Every method of package net's listener opens a lazyListener.
func TestLazyListenerOpens(t *testing.T) {
	uses := map[string]func(*lazyListener) error{
		"deadline":     func(s *lazyListener) error { return s.SetDeadline(time.Now().Add(-time.Second)) },
		"syscall conn": func(s *lazyListener) error { _, err := s.SyscallConn(); return err },
	}
	for name, use := range uses {
		ln, inode := newLazy(t, "tcp", "127.0.0.1:0")
		if err := use(ln.(*lazyListener)); err != nil || polled(t, inode) != 1 {
			t.Errorf("%s: %v, polled %d times", name, err, polled(t, inode))
		}
	}
	ln, _ := newLazy(t, "tcp", "127.0.0.1:0")
	if err := uses["deadline"](ln.(*lazyListener)); err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept after the deadline: %v", err)
	}
}

// A lazyListener that is closed fails as package net's does, whether or not it was open.
func TestLazyListenerClose(t *testing.T) {
	for _, opened := range []bool{false, true} {
		ln, inode := newLazy(t, "tcp", "127.0.0.1:0")
		if opened {
			if err := ln.(*lazyListener).SetDeadline(time.Time{}); err != nil {
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
		for name, err := range map[string]error{"Accept": accept, "Close again": ln.Close(), "SetDeadline": ln.(*lazyListener).SetDeadline(time.Time{})} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("opened %v: %s: %v", opened, name, err)
			}
		}
		if n := polled(t, inode); n != 0 {
			t.Errorf("opened %v: in a poller after Close", opened)
		}
	}
}

// A worker that isn't on trial has package net's listener.
func TestLazyListenerOnlyOnTrial(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	w := newWorker(link.Identity{ID: 1}, newFakeLink())
	if ln := w.lazyOnTrial(inner, descriptor.New(-1)); ln != inner {
		t.Errorf("a %T without a trial", ln)
	}
}

// A listener of a worker on trial has the methods of its kind.
func TestLazyListenerHasTheMethodsOfItsKind(t *testing.T) {
	w := newWorker(link.Identity{ID: 1}, newFakeLink())
	tcp, _ := newLazy(t, "tcp", "127.0.0.1:0")
	if _, ok := w.Track(tcp).(*tcpListener); !ok {
		t.Error("a TCP listener has no AcceptTCP")
	}
	unix, _ := newLazy(t, "unix", filepath.Join(t.TempDir(), "s"))
	if _, ok := w.Track(unix).(*unixListener); !ok {
		t.Error("a unix listener has no AcceptUnix")
	}
}
