//go:build linux

package sdnotify

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/rota-go/rota/internal/descriptor"
)

// manager is the socket of a service manager.
type manager struct {
	*testing.T
	conn *net.UnixConn
}

// newManager sets NOTIFY_SOCKET for the test, and variables given as name, value.
func newManager(t *testing.T, variables ...string) manager {
	t.Helper()
	addr := &net.UnixAddr{Net: "unixgram", Name: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", addr.Name)
	for i := 0; i < len(variables); i += 2 {
		t.Setenv(variables[i], variables[i+1])
	}
	return manager{t, conn}
}

// next returns the next datagram, or "" if there is none.
func (m manager) next() string {
	_ = m.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	b := make([]byte, 1000)
	n, _ := m.conn.Read(b)
	return string(b[:n])
}

func (m manager) want(datagrams ...string) {
	m.Helper()
	for _, want := range append(datagrams, "") {
		if got := m.next(); got != want {
			m.Errorf("the manager got %q, want %q", got, want)
		}
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A report has what has changed. A phase of "" is no change.
func TestReport(t *testing.T) {
	m := newManager(t)
	n := New(quiet())
	n.report("", "starting")
	n.report(daemon.SdNotifyReady, "ready")
	n.report(daemon.SdNotifyReady, "ready")
	n.report("", "ready")
	n.report(daemon.SdNotifyReady, "busy")
	n.report(daemon.SdNotifyStopping, "busy")
	n.Close()
	m.want("STATUS=starting", "READY=1\nSTATUS=ready", "STATUS=busy", "STOPPING=1\nSTATUS=busy")
}

// Every reload is reported, with a time, and READY=1 after it.
func TestReloading(t *testing.T) {
	m := newManager(t)
	n := New(quiet())
	n.report(daemon.SdNotifyReady, "1")
	n.Reloading()
	n.report(daemon.SdNotifyReady, "1")
	n.Reloading()
	n.Close()
	if got := m.next(); got != "READY=1\nSTATUS=1" {
		t.Errorf("first %q", got)
	}
	isReload := func(s string) bool { return strings.HasPrefix(s, "RELOADING=1\nMONOTONIC_USEC=") }
	if got := m.next(); !isReload(got) {
		t.Errorf("then %q", got)
	}
	if got := m.next(); got != "READY=1\nSTATUS=1" {
		t.Errorf("after the reload %q", got)
	}
	if got := m.next(); !isReload(got) {
		t.Errorf("at the second reload %q", got)
	}
}

// A silent notifier reports nothing more, and can still hand over.
func TestSilence(t *testing.T) {
	m := newManager(t)
	n := New(quiet())
	n.SetWatchdog(time.Second)
	n.Silence()
	n.report(daemon.SdNotifyReady, "1")
	n.Reloading()
	if n.Active() || n.Feed() != 0 {
		t.Error("a silent notifier is active")
	}
	n.MainPID(7)
	if err := n.Flush(); err != nil {
		t.Error(err)
	}
	m.want("MAINPID=7")
	n.Close()
}

func TestWatchdog(t *testing.T) {
	m := newManager(t, "WATCHDOG_USEC", "100000")
	n := New(quiet())
	defer n.Close()
	if n.Watchdog() != 100*time.Millisecond {
		t.Errorf("the interval is %v, want 100 ms", n.Watchdog())
	}
	if again := n.Feed(); again != 50*time.Millisecond {
		t.Errorf("the next time is in %v, want half of the interval", again)
	}
	if again := n.Feed(); again != 0 {
		t.Errorf("fed again at once; the next time is in %v", again)
	}
	m.want("WATCHDOG=1")
}

// A manager that doesn't read blocks nobody for longer than a second.
func TestManagerThatDoesNotRead(t *testing.T) {
	m := newManager(t)
	n := New(quiet())
	begin := time.Now()
	for range 10000 {
		n.Send("STATUS=", strings.Repeat("x", 900))
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Send blocks: %v", took)
	}
	begin = time.Now()
	if err := n.Flush(); !errors.Is(err, ErrNotRead) {
		t.Errorf("Flush: %v, want ErrNotRead", err)
	}
	n.Close()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("Flush and Close took %v", took)
	}
	_ = m.conn.Close() // the rest goes nowhere, and not to the next test's manager
	<-n.done
}

// Without a manager nothing happens.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := New(quiet())
	n.report(daemon.SdNotifyReady, "1")
	n.Send("READY=1")
	n.Reloading()
	if err := n.Flush(); err != nil {
		t.Error(err)
	}
	n.Close()
	if n.Active() || n.Feed() != 0 {
		t.Error("a notifier without a manager is active")
	}
}

// A descriptor goes with its message, in the order of the others, and is closed then.
func TestSendWith(t *testing.T) {
	m := newManager(t)
	n := New(quiet())
	n.Send("STATUS=1")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, err := descriptor.DupOf(null)
	if err != nil {
		t.Fatal(err)
	}
	n.SendWith(fd, "FDSTORE=1", "FDNAME=x")
	n.SendWith(nil, "FDSTOREREMOVE=1")
	<-n.Sent()
	if fd.Int() >= 0 {
		t.Error("the descriptor is still open")
	}
	if got := m.next(); got != "STATUS=1" {
		t.Errorf("first %q", got)
	}
	b, oob := make([]byte, 100), make([]byte, 100)
	got, rights, _, _, err := m.conn.ReadMsgUnix(b, oob)
	files, ferr := descriptor.FromRights(oob[:rights])
	if err != nil || ferr != nil || string(b[:got]) != "FDSTORE=1\nFDNAME=x" || len(files) != 1 {
		t.Errorf("%q with %d descriptors, %v, %v", b[:got], len(files), err, ferr)
	}
	descriptor.CloseAll(files)
	m.want("FDSTOREREMOVE=1")
	n.Close()
}

// systemd says from version 254 on whether it keeps descriptors. Without a manager nobody does.
func TestStores(t *testing.T) {
	newManager(t, "FDSTORE", "0")
	n := New(quiet())
	if n.Stores() {
		t.Error("a manager without a store has one")
	}
	t.Setenv("FDSTORE", "7")
	if !n.Stores() {
		t.Error("a manager with a store has none")
	}
	n.Silence()
	if n.Stores() {
		t.Error("the store is still this master's")
	}
	n.Close()
	t.Setenv("NOTIFY_SOCKET", "")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, _ := descriptor.DupOf(null)
	n = New(quiet())
	n.SendWith(fd, "FDSTORE=1")
	<-n.Sent()
	if n.Stores() || fd.Int() >= 0 {
		t.Errorf("without a manager: %v, descriptor %d", n.Stores(), fd.Int())
	}
}
