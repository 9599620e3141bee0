//go:build linux

package operations

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// kept is a descriptor in a manager's store.
type kept struct {
	name string
	n    int
}

// store does what a datagram says of the store, and returns the descriptors that it doesn't
// keep: as systemd does, those of what is there already, by any name.
func (m *manager) store(state string, files []int) (rest []int) {
	lines := strings.Split(state, "\n")
	var name string
	for _, l := range lines {
		if v, ok := strings.CutPrefix(l, "FDNAME="); ok {
			name = v
		}
	}
	switch {
	case slices.Contains(lines, "FDSTOREREMOVE=1"):
		m.kept = slices.DeleteFunc(m.kept, func(k kept) bool {
			if k.name == name {
				_ = unix.Close(k.n)
			}
			return k.name == name
		})
	case slices.Contains(lines, "FDSTORE=1") && slices.Contains(lines, "FDPOLL=0") && name != "":
		for _, n := range files {
			if slices.ContainsFunc(m.kept, func(k kept) bool { return isSame(k.n, n) }) {
				rest = append(rest, n)
			} else {
				m.kept = append([]kept{{name, n}}, m.kept...)
			}
		}
		return rest
	}
	return files
}

func isSame(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

func (m *manager) closeKept() {
	for _, k := range m.kept {
		_ = unix.Close(k.n)
	}
}

// names returns how many descriptors the store has of each kind.
func (m *manager) names() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]int{}
	for _, k := range m.kept {
		all[strings.Join(strings.SplitN(k.name, ".", 3)[:2], ".")]++
	}
	return all
}

// record returns what the store has of records.
func (m *manager) record() (all string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.kept {
		if b := make([]byte, 1<<16); strings.HasPrefix(k.name, "rota.record.") {
			n, _ := unix.Pread(k.n, b, 0)
			all += string(b[:max(n, 0)])
		}
	}
	return all
}

// holds waits until the store has one executable, so many sockets, and one record, of a
// generation that serves.
func (m *manager) holds(sockets, generation int) {
	m.t.Helper()
	want := map[string]int{"rota.executable": 1, "rota.lease": 1, "rota.record": 1, "rota.socket": sockets}
	e2etest.WaitFor(m.t, fmt.Sprintf("systemd to keep %v", want), func() bool {
		return fmt.Sprint(m.names()) == fmt.Sprint(want) && strings.Contains(m.record(), fmt.Sprintf(`"version":1,"generation":%d,`, generation))
	},
		func() string { return fmt.Sprint(m.names(), "\n", m.record(), "\n", m) })
}

// start starts a helper as systemd does: with what it keeps, in a process that it takes for the
// main one. exe is the executable.
func (m *manager) start(exe, helper string, cfg master.Config, env ...string) *e2etest.Process {
	m.t.Helper()
	cmd := e2etest.Command(m.t, helper, cfg, append(env, "NOTIFY_SOCKET="+m.path, "FDSTORE=100")...)
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, k := range m.kept {
		n, err := unix.FcntlInt(uintptr(k.n), unix.F_DUPFD_CLOEXEC, 0)
		e2etest.NoError(m.t, err)
		f := os.NewFile(uintptr(n), k.name)
		defer f.Close()
		names, cmd.ExtraFiles = append(names, k.name), append(cmd.ExtraFiles, f)
	}
	cmd.Args = []string{"sh", "-c", `export LISTEN_PID=$$; exec "$0"`, exe}
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Env, "LISTEN_FDNAMES="+strings.Join(names, ":"), fmt.Sprintf("LISTEN_FDS=%d", len(names)))
	p := e2etest.Run(m.t, cmd)
	m.main = cmd.Process.Pid
	return p
}

// crash kills the master of p, and returns when it has ended.
func crash(p *e2etest.Process) {
	pid := p.PID()
	e2etest.Kill(p.TB(), pid)
	e2etest.WaitFor(p.TB(), "the master to be gone", func() bool { return !e2etest.Alive(pid) })
}

// restartAfter is the time after which systemd starts a service again (RestartSec).
const restartAfter = 100 * time.Millisecond

// A master that dies is followed by one that has its sockets, its generation and its number of
// workers. No connection is refused, and none is cut that a worker has accepted.
func TestMasterKilledUnderLoadOfTheStore(t *testing.T) {
	t.Parallel()
	dies(t, server.Quick(2), 1, 10)
}

// So it is if each slot has a queue: those that wait in one are accepted too.
func TestMasterWithQueuesKilledUnderLoad(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(2)
	cfg.Spread = master.SpreadSlots
	dies(t, cfg, 3, 4)
}

// dies kills masters with three workers under load, whose sockets the store has.
func dies(t *testing.T, cfg master.Config, sockets, times int) {
	m := systemd(t)
	p := m.start(e2etest.Self(t), "serve", cfg)
	p.WaitLog(e2etest.WorkerReady, 2)
	p.Reload()
	p.Signal(syscall.SIGTTIN)
	p.WaitLog(e2etest.WorkerReady, 5)
	m.holds(sockets, 2)
	e2etest.WaitFor(t, "a record of three workers", func() bool { return strings.Contains(m.record(), `"workers":3`) }, m.record)
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	for range times {
		l.Goes(t, 100)
		crash(p)
		time.Sleep(restartAfter)
		p = m.start(e2etest.Self(t), "serve", cfg)
		p.WaitLog(e2etest.WorkerReady, 3)
		if p.Logged(e2etest.GoesOn) != 1 || p.Logged(e2etest.OfGeneration(2)) < 4 {
			t.Fatalf("the next master has not gone on:\n%s", p.Log)
		}
	}
	l.Goes(t, 100)
	m.holds(sockets, 2)
	r := l.End()
	t.Log(r)
	if r.Refused > 0 || r.Failed > 0 {
		t.Errorf("%d connections were refused, %d requests failed: %v", r.Refused, r.Failed, r.First)
	}
}

// A master that is killed before its workers are ready leaves the store as it was.
func TestMasterKilledAtItsStart(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	p := m.start(e2etest.Self(t), "serve", server.Quick(2))
	p.WaitLog(e2etest.WorkerReady, 2)
	m.holds(1, 1)
	l := e2etest.StartLoad(p.Addr(), "/", 4)
	crash(p)
	for range 5 {
		p = m.start(e2etest.Self(t), "serve", server.Quick(2))
		p.WaitLog(e2etest.GoesOn, 1)
		crash(p)
	}
	p = m.start(e2etest.Self(t), "serve", server.Quick(2))
	l.Goes(t, 50)
	if r := l.End(); r.Refused > 0 {
		t.Errorf("%d connections were refused", r.Refused)
	}
	p.WaitLog(e2etest.WorkerReady, 2)
}

// runs returns the file that the worker at addr was started from.
func runs(t *testing.T, addr string) string {
	t.Helper()
	out, err := e2etest.Request("tcp", addr, "/?spawn="+url.QueryEscape("stat -L -c %i /proc/$PPID/exe"))
	e2etest.NoError(t, err)
	return strings.TrimSpace(out)
}

// The next master starts workers of the executable that ran, not of what stands at its path by
// then. A reload starts that.
func TestCrashAfterAnUpdate(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	exe := filepath.Join(t.TempDir(), "server")
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	p := m.start(exe, "serve", server.Quick(1))
	p.WaitLog(e2etest.WorkerReady, 1)
	m.holds(1, 1)
	addr, old := p.Addr(), runs(t, p.Addr())
	for range 2 {
		e2etest.NoError(t, os.Rename(exe, exe+".old"))
		e2etest.CopyFile(t, e2etest.Self(t), exe)
		e2etest.NoError(t, os.Remove(exe+".old"))
		crash(p)
		p = m.start(exe, "serve", server.Quick(1))
		p.WaitLog(e2etest.WorkerReady, 1)
		if now := runs(t, addr); now != old {
			t.Fatalf("after the crash the worker runs file %s, want %s", now, old)
		}
	}
	p.Reload()
	e2etest.WaitFor(t, "the new release to answer", func() bool { return runs(t, addr) != old })
	m.holds(1, 2)
	old = runs(t, addr)
	crash(p)
	p = m.start(exe, "serve", server.Quick(1))
	p.WaitLog(e2etest.WorkerReady, 1)
	if now := runs(t, addr); now != old || p.Logged(e2etest.OfGeneration(2)) < 2 {
		t.Errorf("after the second crash the worker runs file %s, want %s:\n%s", now, old, p.Log)
	}
}

// The file of a unix socket is the next master's: the same file, which a stop unlinks. A stop
// leaves nothing in the store, so that the next start is one like the first.
func TestStopEmptiesTheStore(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	path := filepath.Join(e2etest.ShortDir(t), "s")
	flags := e2etest.FlagsEnv + "=unix " + path
	p := m.start(e2etest.Self(t), "listen", server.Quick(1), flags)
	p.WaitLog(e2etest.WorkerReady, 1)
	m.holds(1, 1)
	was, err := os.Stat(path)
	e2etest.NoError(t, err)
	crash(p)
	c, err := net.Dial("unix", path)
	e2etest.NoError(t, err)
	defer c.Close()
	p = m.start(e2etest.Self(t), "listen", server.Quick(1), flags)
	if _, err := e2etest.RequestOn(c, "/"); err != nil {
		t.Errorf("a connection that was made while no master ran: %v", err)
	}
	if is, err := os.Stat(path); err != nil || !os.SameFile(was, is) {
		t.Errorf("the file of the socket is another one: %v", err)
	}
	p.WaitLog(e2etest.WorkerReady, 1)
	p.Signal(syscall.SIGTERM)
	p.Wait()
	e2etest.WaitFor(t, "an empty store", func() bool { return len(m.names()) == 0 }, m.String)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file of the socket is still there: %v", err)
	}
	p = m.start(e2etest.Self(t), "listen", server.Quick(1), flags)
	p.WaitLog(e2etest.WorkerReady, 1)
	if p.Logged(e2etest.GoesOn) > 0 || p.Logged(e2etest.OfGeneration(1)) == 0 {
		t.Errorf("the start after a stop goes on:\n%s", p.Log)
	}
}

// The next master may be told another address: what it had is not in its way.
func TestCrashAfterANewAddress(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	first, second := e2etest.FreeAddress(t), e2etest.FreeAddress(t)
	p := m.start(e2etest.Self(t), "listen", server.Quick(1), e2etest.FlagsEnv+"=tcp "+first)
	p.WaitLog(e2etest.WorkerReady, 1)
	m.holds(1, 1)
	crash(p)
	p = m.start(e2etest.Self(t), "listen", server.Quick(1), e2etest.FlagsEnv+"=tcp "+second)
	p.WaitLog(e2etest.WorkerReady, 1)
	m.holds(2, 1)
	if _, err := e2etest.Request("tcp", second, "/"); err != nil {
		t.Error(err)
	}
}

// What a start that fails has left makes the next one no worse: the store is empty.
func TestFailedStartEmptiesTheStore(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	d := server.NewRelease(t, "good")
	p := m.start(e2etest.Self(t), "version", server.Quick(1), d.Flags)
	p.WaitLog(e2etest.WorkerReady, 1)
	m.holds(1, 1)
	d.Write("exits")
	crash(p)
	p = m.start(e2etest.Self(t), "version", server.Quick(1), d.Flags)
	if status := p.Wait(); status != 3 {
		t.Errorf("exit status %d, want 3", status)
	}
	e2etest.WaitFor(t, "an empty store", func() bool { return len(m.names()) == 0 }, m.String)
}

// The master that an upgrade has started has what the old one had in the store, and no more.
func TestCrashAfterUpgrades(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	p := m.start(e2etest.Self(t), "two-ports", server.Quick(1))
	p.WaitLog(e2etest.WorkerReady, 1)
	m.holds(2, 1)
	p.Upgrade()
	p.Upgrade()
	m.holds(2, 3)
	crash(p)
	next := m.start(e2etest.Self(t), "two-ports", server.Quick(1))
	next.WaitLog(e2etest.WorkerReady, 1)
	m.holds(2, 3)
	if next.Logged(e2etest.OfGeneration(3)) < 2 || next.Logged(e2etest.KeptIsOfNoUse) > 0 {
		t.Errorf("the next master has not gone on:\n%s", next.Log)
	}
	ports := server.PortLines(p)
	for line := range server.PortLines(next) {
		if len(ports) != 1 || !ports[line] {
			t.Errorf("the ports were %v, and are %s", ports, line)
		}
	}
}

// What isn't what a master has left is not handed out, and the master starts without it.
func TestDamagedStore(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, m *manager, i int) int{
		"another socket": func(t *testing.T, m *manager, i int) int {
			if !strings.HasPrefix(m.kept[i].name, "rota.socket.") {
				return -1
			}
			n, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			e2etest.NoError(t, err)
			return n
		},
		"a record that can be changed": func(t *testing.T, m *manager, i int) int {
			if !strings.HasPrefix(m.kept[i].name, "rota.record.") {
				return -1
			}
			n, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC)
			e2etest.NoError(t, err)
			return n
		},
		"pipes": func(t *testing.T, m *manager, i int) int {
			var p [2]int
			e2etest.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
			t.Cleanup(func() { _ = unix.Close(p[1]) })
			return p[0]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := systemd(t)
			p := m.start(e2etest.Self(t), "serve", server.Quick(1))
			p.WaitLog(e2etest.WorkerReady, 1)
			m.holds(1, 1)
			crash(p)
			m.mu.Lock()
			for i := range m.kept {
				if n := damage(t, m, i); n >= 0 {
					_ = unix.Close(m.kept[i].n)
					m.kept[i].n = n
				}
			}
			m.mu.Unlock()
			p = m.start(e2etest.Self(t), "serve", server.Quick(1))
			p.WaitLog(e2etest.WorkerReady, 1)
			if p.Logged(e2etest.KeptIsOfNoUse) == 0 {
				t.Errorf("the master has logged nothing:\n%s", p.Log)
			}
			if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
				t.Error(err)
			}
			m.holds(1, 1)
		})
	}
}

// A service whose unit allows no store sends nothing there.
func TestNoStore(t *testing.T) {
	t.Parallel()
	m := systemd(t)
	p := e2etest.Start(t, "serve", server.Quick(1), "NOTIFY_SOCKET="+m.path, "FDSTORE=0")
	m.wait(-1, "READY=1")
	p.Reload()
	m.wait(-1, "STATUS=generation 2: 1 of 1 workers ready")
	if m.index(0, "FDSTORE") >= 0 {
		t.Errorf("systemd was sent descriptors:\n%v", m)
	}
}
