package listentest

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A trial is one run of one case: the implementation under test on one side,
// package net on the other. Everything it opens is closed when the case ends.
type trial struct {
	tb
	suite   suite
	network string
}

func (t *trial) isUnix() bool { return strings.HasPrefix(t.network, "unix") }

// dir creates a directory whose name is short enough for the path of a unix socket in
// it. The names of testing.T.TempDir are too long on some systems.
func (t *trial) dir() string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lt")
	if err != nil {
		t.Fatalf("no directory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// address returns a loopback address with port 0, or an unused path.
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

// listen returns a listener of the implementation under test on a fresh address.
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
	ln, err := soon(t, "Listen", func() (net.Listener, error) { return t.suite.listen(t.network, address) })
	if err == nil {
		t.closeAtEnd("the listener", ln)
	}
	return ln, err
}

// listenFree returns a listener on an explicit address. It tries several ports,
// because another process may take a port between the check and the bind.
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

// plainListen calls net.Listen, for the other side and for comparison.
func (t *trial) plainListen(address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(t.network, address)
	if err != nil {
		t.Fatalf("net.Listen(%q, %q): %v", t.network, address, err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// accept returns the next connection, which a client has made or is making.
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

// dial connects to ln with package net.
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

// end is the deadline of the other side, so that no case waits forever. It is later
// than the timeout, which reports the call as stuck.
func (t *trial) end() time.Time { return time.Now().Add(2 * t.timeout()) }

func (t *trial) tryDial(address string) (net.Conn, error) {
	conn, err := net.DialTimeout(t.network, address, t.timeout())
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

// pair returns both ends of a connection to a new listener.
func (t *trial) pair() (server, client net.Conn) {
	t.Helper()
	return t.connect(t.listen())
}

// closeAtEnd closes c when the case ends. The case may have closed it already.
func (t *trial) closeAtEnd(what string, c io.Closer) {
	t.Cleanup(func() {
		closing := start(t, "Close", func() (struct{}, error) { return struct{}{}, c.Close() })
		if !closing.ended(t.timeout()) {
			t.Errorf("the last Close of %s is stuck", what)
		}
	})
}

// tb is the part of *testing.T that the cases use, as an interface so that the
// suite's own tests can run a case that fails.
type tb interface {
	Name() string
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any) // from the goroutine of the test only
	Skipf(format string, args ...any)  // from the goroutine of the test only
	Cleanup(func())
	Run(name string, f func(tb)) bool
}

// testingTB makes a *testing.T a tb.
type testingTB struct{ *testing.T }

func (t testingTB) Run(name string, f func(tb)) bool {
	return t.T.Run(name, func(t *testing.T) { f(testingTB{t}) })
}
