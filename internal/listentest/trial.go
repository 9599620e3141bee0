package listentest

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A trial is one run of one case: the implementation under test on the one side,
// plain package net on the other. What it opens is closed at its end.
type trial struct {
	T
	suite   Suite
	network string
}

func (t *trial) isUnix() bool { return strings.HasPrefix(t.network, "unix") }

// dir is a new directory whose name is short enough for a unix socket in it,
// which that of testing.T.TempDir is not everywhere.
func (t *trial) dir() string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lt")
	if err != nil {
		t.Fatalf("no directory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// address is a fresh loopback address: port 0, or a path nobody has used.
func (t *trial) address() string {
	t.Helper()
	if t.isUnix() {
		return anyAddress(t.network, t.dir())
	}
	return anyAddress(t.network, "")
}

func anyAddress(network, dir string) string {
	switch {
	case strings.HasPrefix(network, "unix"):
		return filepath.Join(dir, "s")
	case strings.HasSuffix(network, "6"):
		return "[::1]:0"
	}
	return "127.0.0.1:0"
}

// listen asks the implementation for a listener on a fresh address.
func (t *trial) listen() net.Listener {
	t.Helper()
	return t.listenOn(t.address())
}

func (t *trial) listenOn(address string) net.Listener {
	t.Helper()
	ln, err := t.tryListen(address)
	if err != nil {
		t.Fatalf("Listen(%q, %q): %v", t.network, address, err)
	}
	return ln
}

func (t *trial) tryListen(address string) (net.Listener, error) {
	t.Helper()
	ln, err := soon(t, "Listen", func() (net.Listener, error) { return t.suite.Listen(t.network, address) })
	if err == nil {
		t.closeAtEnd("the listener", ln)
	}
	return ln, err
}

// listenFree asks for a listener on an explicit address. Another process may
// take the port that was free a moment ago: then it tries another one.
func (t *trial) listenFree() (ln net.Listener, address string) {
	t.Helper()
	var err error
	for range 5 {
		address = t.freeAddress()
		if ln, err = t.tryListen(address); err == nil {
			return ln, address
		}
	}
	t.Fatalf("Listen(%q, %q), an address that is free: %v", t.network, address, err)
	return nil, ""
}

func (t *trial) freeAddress() string {
	t.Helper()
	if t.isUnix() {
		return t.address()
	}
	ln := t.plainListen(t.address())
	ln.Close()
	return ln.Addr().String()
}

// plainListen is net.Listen, for the other side and for comparison.
func (t *trial) plainListen(address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(t.network, address)
	if err != nil {
		t.Fatalf("net.Listen(%q, %q): %v", t.network, address, err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// accept takes the next connection, which is there or on its way.
func (t *trial) accept(ln net.Listener) net.Conn {
	t.Helper()
	conn, err := soon(t, "Accept", ln.Accept)
	t.accepted(conn, err)
	return conn
}

func (t *trial) accepted(conn net.Conn, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("Accept: %v", err)
	}
	if conn == nil {
		t.Fatalf("Accept returned neither a connection nor an error")
	}
	t.closeAtEnd("the connection", conn)
}

// dial connects with plain net.
func (t *trial) dial(ln net.Listener) net.Conn {
	t.Helper()
	return t.dialTo(ln.Addr().String())
}

func (t *trial) dialTo(address string) net.Conn {
	t.Helper()
	conn, err := t.tryDial(address)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	return conn
}

// end is when plain net gives up, so that nothing waits for ever. By then it has
// been called stuck.
func (t *trial) end() time.Time { return time.Now().Add(2 * t.patience()) }

func (t *trial) tryDial(address string) (net.Conn, error) {
	conn, err := net.DialTimeout(t.network, address, t.patience())
	if err == nil {
		conn.SetDeadline(t.end())
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// connect makes one connection to ln and returns both ends.
func (t *trial) connect(ln net.Listener) (server, client net.Conn) {
	t.Helper()
	client = t.dial(ln)
	return t.accept(ln), client
}

// pair is a connection to a new listener.
func (t *trial) pair() (server, client net.Conn) {
	t.Helper()
	return t.connect(t.listen())
}

// closeAtEnd closes c after the case, which may have done it before.
func (t *trial) closeAtEnd(what string, c io.Closer) {
	t.Cleanup(func() {
		closing := start(t, "Close", func() (struct{}, error) { return struct{}{}, c.Close() })
		if !closing.ended(t.patience()) {
			t.Errorf("the last Close of %s is stuck", what)
		}
	})
}
