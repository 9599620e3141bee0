//go:build linux

package operations

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// manager reads the notify socket as systemd does with NotifyAccess=main: it accepts only
// what the main process sends.
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn

	mu     sync.Mutex
	kept   []kept
	main   int      // pid of the main process; 0 if that is whoever sends the first datagram
	states []string // the datagrams
}

func systemd(t *testing.T) *manager {
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	e2etest.NoError(t, err)
	m.conn = conn
	raw, err := conn.SyscallConn()
	e2etest.NoError(t, err)
	e2etest.NoError(t, raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) }))
	e2etest.NoError(t, err)
	ended := make(chan struct{})
	go func() { defer close(ended); m.listen() }()
	t.Cleanup(func() { conn.Close(); <-ended; m.closeKept() })
	return m
}

func (m *manager) listen() {
	b, oob := make([]byte, 4096), make([]byte, 256)
	for {
		n, oobn, _, _, err := m.conn.ReadMsgUnix(b, oob)
		if err != nil {
			return
		}
		pid, files := sender(oob[:oobn])
		m.add(string(b[:n]), pid, files)
	}
}

// sender returns the pid that a datagram is from, and the descriptors that came with it.
func sender(oob []byte) (pid int, files []int) {
	messages, _ := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			pid = int(cred.Pid)
		}
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			files = append(files, fds...)
		}
	}
	return pid, files
}

func (m *manager) add(state string, pid int, files []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.main == 0 {
		m.main = pid
	}
	if pid == m.main {
		files = m.store(state, files)
	}
	for _, n := range files {
		_ = unix.Close(n)
	}
	if pid != m.main {
		m.states = append(m.states, fmt.Sprintf("FROM ANOTHER PROCESS (%d, not %d): %s", pid, m.main, state))
		return
	}
	m.states = append(m.states, state)
	if s, ok := strings.CutPrefix(state, "MAINPID="); ok {
		m.main, _ = strconv.Atoi(s)
	}
}

// index returns the first datagram from n on that has all texts, or -1.
func (m *manager) index(n int, texts ...string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
next:
	for i := n; i < len(m.states); i++ {
		for _, text := range texts {
			if !strings.Contains(m.states[i], text) {
				continue next
			}
		}
		return i
	}
	return -1
}

// wait waits for a datagram after the n-th, and returns its number.
func (m *manager) wait(n int, texts ...string) int {
	m.t.Helper()
	e2etest.WaitFor(m.t, fmt.Sprintf("a datagram with %q", texts), func() bool { return m.index(n+1, texts...) >= 0 }, m.String)
	return m.index(n+1, texts...)
}

func (m *manager) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.states, "\n--\n")
}

func TestSystemdSeesEachState(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	cfg := server.Quick(2)
	cfg.StopDelay = 200 * time.Millisecond
	p := e2etest.Start(t, "serve", cfg, "NOTIFY_SOCKET="+m.path)
	n := m.wait(-1, "READY=1", "STATUS=generation 1: 2 of 2 workers ready")
	if n != 0 && m.index(0, "READY=1") < n {
		t.Errorf("READY=1 came before the workers were ready:\n%v", m)
	}
	begun := monotonic()
	p.Reload()
	n = m.wait(n, "RELOADING=1\nMONOTONIC_USEC=")
	m.mu.Lock()
	_, stamp, _ := strings.Cut(m.states[n], "MONOTONIC_USEC=")
	m.mu.Unlock()
	if usec, err := strconv.ParseInt(strings.TrimSpace(stamp), 10, 64); err != nil || usec < begun || usec > monotonic() {
		t.Errorf("timestamp %q, %v: want one since %d", stamp, err, begun)
	}
	n = m.wait(n, "READY=1", "STATUS=generation 2: 2 of 2 workers ready")
	p.Upgrade()
	n = m.wait(n, fmt.Sprintf("MAINPID=%d", p.PID()))
	n = m.wait(n, "READY=1", "STATUS=generation 3: 2 of 2 workers ready")
	p.Signal(syscall.SIGTERM)
	m.wait(n, "STOPPING=1", "2 of 2 workers ready; stopping") // in the delay
	p.Wait()
	if m.index(0, "FROM ANOTHER PROCESS") >= 0 {
		t.Errorf("another process than the main one has notified systemd:\n%v", m)
	}
}

func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano() / 1000
}

// systemd is told the end and the error of a reload that fails, also of one that fails
// before a worker was started. Without it "systemctl reload" would never return.
func TestSystemdSeesFailedReloads(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	d := server.NewRelease(t, "good")
	cfg := master.Config{Workers: 1, MinUptime: 300 * time.Millisecond, ReadyTimeout: 3 * time.Second, KillAfter: 100 * time.Millisecond}
	p := e2etest.Start(t, "version", cfg, "NOTIFY_SOCKET="+m.path, d.Flags)
	n := m.wait(-1, "READY=1")
	d.Write("exits")
	p.Signal(syscall.SIGHUP)
	n = m.wait(n, "RELOADING=1")
	n = m.wait(n, "READY=1", "failed: reload: worker 2", "exit status 3")
	p.Signal(syscall.SIGUSR2)
	n = m.wait(n, "STATUS=", "upgrading the master")
	n = m.wait(n, "STATUS=", "failed: upgrade: new master")
	d.Write("good")
	p.Reload()
	n = m.wait(n, "RELOADING=1")
	n = m.wait(n, "READY=1")
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.Contains(m.states[n], "failed") {
		t.Errorf("STATUS still has the failure after a good reload: %s", m.states[n])
	}
}

func TestSystemdReloadOfMissingExecutable(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	exe := filepath.Join(t.TempDir(), "server")
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	p := e2etest.StartExe(t, exe, "serve", server.Quick(1), "NOTIFY_SOCKET="+m.path)
	n := m.wait(-1, "READY=1")
	e2etest.ReplaceFile(t, exe, "", 0o644)
	p.Signal(syscall.SIGHUP)
	n = m.wait(n, "RELOADING=1")
	m.wait(n, "READY=1", "failed: ", "permission denied")
}

// The watchdog gets its notifications before and after an upgrade, though WATCHDOG_PID is
// the first master's.
func TestSystemdWatchdog(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	exe := filepath.Join(t.TempDir(), "server")
	e2etest.ReplaceFile(t, exe, "#!/bin/sh\nexport WATCHDOG_PID=$$\nexec "+e2etest.Self(t)+"\n", 0o755)
	p := e2etest.StartExe(t, exe, "serve", server.Quick(1), "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=100000")
	n := m.wait(-1, "WATCHDOG=1")
	n = m.wait(n, "WATCHDOG=1")
	n = m.wait(n, "WATCHDOG=1")
	p.Upgrade()
	n = m.wait(n, fmt.Sprintf("MAINPID=%d", p.PID()))
	n = m.wait(n, "WATCHDOG=1")
	m.wait(n, "WATCHDOG=1")
}

// A service manager that never reads has no effect on what serves. An upgrade fails: when the manager reads again, the end of the old master
// would be that of the service.
func TestSystemdThatDoesNotReadBlocksNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	e2etest.NoError(t, err)
	defer conn.Close()
	p := e2etest.Start(t, "serve", server.Quick(1), "NOTIFY_SOCKET="+path)
	for range 30 {
		p.Reload()
	}
	fillSocket(t, path)
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.UpgradeFailed, 1)
	p.Reload()
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

// fillSocket sends datagrams to a socket that nobody reads, until there is no room for more.
func fillSocket(t *testing.T, path string) {
	c, err := net.Dial("unixgram", path)
	e2etest.NoError(t, err)
	defer c.Close()
	for err == nil {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = c.Write([]byte("STATUS=full"))
	}
}

// Workers don't have the variables of systemd in their environment.
func TestWorkersDoNotSeeSystemd(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	p := e2etest.Start(t, "serve", server.Quick(1), "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=10000000")
	out, err := e2etest.Request("tcp", p.Addr(), "/?spawn=env")
	if err != nil || strings.Contains(out, "NOTIFY_SOCKET") || strings.Contains(out, "WATCHDOG") {
		t.Errorf("a worker has %s, %v", out, err)
	}
}
