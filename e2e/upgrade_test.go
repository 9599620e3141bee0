//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/master"
)

// The master's own upgrade, on USR2: a second master beside the first, and never a
// moment without one. docs/decisions/0015.

// upgrade replaces the master, and returns when the old one has left.
func (p *process) upgrade() {
	p.t.Helper()
	old, took := p.pid(), p.log.Count("master took over")
	p.signal(syscall.SIGUSR2)
	p.waitLog("master took over", took+1)
	waitFor(p.t, fmt.Sprintf("the old master %d to be gone", old), func() bool { return !alive(old) },
		func() string { return p.log.String() })
}

func TestUpgradeUnderLoad(t *testing.T) {
	for _, tc := range []struct {
		name, helper, path string
		workers            int
	}{
		{"two workers", "serve", "/", 2},
		{"one worker", "serve", "/", 1},
		{"slow handler", "serve", "/?sleep=200ms", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, tc.helper, quick(tc.workers))
			addr := p.addr()
			l := startLoad(addr, tc.path, 16)
			l.keepAliveLoops(8)
			n := 10
			if testing.Short() {
				n = 3
			}
			p.serves(l, 1)
			for i := range n {
				p.upgrade()
				p.serves(l, i+2)
			}
			l.mustBeWhole(t)
			if seen := len(l.generations); seen != n+1 {
				t.Errorf("%d generations answered, want %d", seen, n+1)
			}
			if now := p.addr(); now != addr {
				t.Errorf("the address was %s and is %s", addr, now)
			}
		})
	}
}

// What a master knows, the next one knows.
func TestUpgradeKeepsNumbers(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	cfg := quick(2)
	cfg.PIDFile = pidFile
	p := start(t, "two-ports", cfg)
	p.signal(syscall.SIGTTIN)
	p.waitLog("worker ready", 3)
	p.reload()
	p.upgrade()
	p.reload()
	p.waitLog("ports", 3+3+3+3)
	lines := map[string]bool{}
	for _, line := range strings.Split(p.log.String(), "\n") {
		if strings.HasPrefix(line, "ports") {
			lines[line] = true
		}
	}
	if len(lines) != 1 {
		t.Errorf("the ports have changed: %v", lines)
	}
	for worker, slot := range map[int]int{1: 0, 3: 2, 7: 0, 9: 2, 12: 2} {
		want := fmt.Sprintf("slot=%d generation=%d", slot, (worker+2)/3)
		if !p.log.has(fmt.Sprintf("worker ready worker=%d ", worker), want) {
			t.Errorf("worker %d is not of %s:\n%s", worker, want, p.log)
		}
	}
	b, err := os.ReadFile(pidFile)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(p.pid()) {
		t.Errorf("the PID file holds %q, %v; the master is %d", b, err, p.pid())
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	if left, _ := filepath.Glob(pidFile + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// has reports whether a line has all of the texts.
func (l *logBuffer) has(texts ...string) bool {
	for _, line := range strings.Split(l.String(), "\n") {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return true
		}
	}
	return false
}

// A new master that fails, in each of the ways it can, changes nothing.
func TestBrokenUpgrade(t *testing.T) {
	t.Parallel()
	takesLong(t)
	for _, tc := range []struct{ kind, why string }{
		{"master exits", "exited"},
		{"master hangs", "not ready in time"},
		{"exits", "died before it was ready: exit status 3"},
		{"hangs", "not ready in time"},
		{"dies", "died before it was ready: exit status 4"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			d := release(t, "good")
			cfg := master.Config{
				Workers: 2, Surge: 2, MinUptime: 1500 * time.Millisecond, // seven times what "dies" lives
				ReadyTimeout: 2500 * time.Millisecond, KillAfter: 100 * time.Millisecond,
			}
			p := start(t, "version", cfg, flagsEnv+"="+d.path)
			old := p.pid()
			l := startLoad(p.addr(), "/", 8)
			d.write(tc.kind)
			p.signal(syscall.SIGUSR2)
			p.waitLog("upgrade failed", 1)
			if !p.log.has("upgrade failed", tc.why) {
				t.Errorf("the log doesn't say %q:\n%s", tc.why, p.log)
			}
			d.write("good")
			p.reload()
			if p.pid() != old || !alive(old) {
				t.Errorf("the master was %d and is %d", old, p.pid())
			}
			if tc.kind == "master exits" {
				p.upgrade() // and a good one works
			}
			l.mustBeWhole(t)
		})
	}
}

// O_NONBLOCK is the open file's, which all masters and workers share: whoever clears
// it for a moment has Accept block everywhere.
func TestUpgradeKeepsSocketsNonblocking(t *testing.T) {
	p := start(t, "serve", quick(2))
	l := startLoad(p.addr(), "/", 8)
	stop, watched := make(chan struct{}), make(chan int)
	pid := p.living()[0]
	go func() { watched <- watchFlags(t, pid, stop) }()
	p.upgrade()
	close(stop)
	if n := <-watched; n < 10 {
		t.Errorf("the flags were looked at %d times only", n)
	}
	l.mustBeWhole(t)
	for _, pid := range append(p.living(), p.pid()) {
		for _, f := range socketFlags(t, pid) {
			if f&nonblock == 0 || f&cloexec == 0 {
				t.Errorf("process %d has a socket with flags %o: want O_NONBLOCK and O_CLOEXEC", pid, f)
			}
		}
	}
}

// watchFlags looks at the sockets of a process until it ends or stop is closed.
func watchFlags(t *testing.T, pid int, stop <-chan struct{}) (looks int) {
	for {
		select {
		case <-stop:
			return looks
		default:
		}
		if !alive(pid) {
			return looks
		}
		for _, f := range flagsOf(pid) {
			if f&nonblock == 0 {
				t.Errorf("process %d has a socket with flags %o: it blocks", pid, f)
				return looks
			}
			looks++
		}
	}
}

// Neither tableflip's variable nor its descriptors come to a worker of a new master, or
// to what that starts.
func TestUpgradeLeavesNothingToWorkers(t *testing.T) {
	p := start(t, "serve", quick(1))
	before := p.workerDescriptors()
	p.upgrade()
	p.settled(1)
	waitFor(t, fmt.Sprintf("a worker to have no more descriptors than the %d of one of the first master", before),
		func() bool { return p.workerDescriptors() <= before })
	for _, pid := range append(p.living(), p.pid()) {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if pid != p.pid() && (strings.Contains(string(env), "TABLEFLIP") || strings.Contains(string(env), "ROTA_UPGRADE")) {
			t.Errorf("worker %d has %q", pid, env)
		}
	}
	for _, command := range []string{"env", "ls+-l+/proc/self/fd"} {
		out, err := request("tcp", p.addr(), "/?spawn="+command)
		if err != nil || strings.Contains(out, "TABLEFLIP") || strings.Contains(out, "ROTA_UPGRADE") || strings.Contains(out, "socket:") {
			t.Errorf("a worker's child has %s %v", out, err)
		}
	}
}

// TERM during an upgrade ends both masters, and what is in flight is answered.
func TestTermDuringUpgrade(t *testing.T) {
	t.Parallel()
	d := release(t, "good")
	cfg := quick(2)
	cfg.KillAfter = 100 * time.Millisecond // those that hang
	p := start(t, "version", cfg, flagsEnv+"="+d.path)
	busy := inFlight(t, p, "/?sleep=400ms")
	d.write("hangs")
	p.signal(syscall.SIGUSR2)
	p.waitLog("new master is there", 1)
	p.signal(syscall.SIGTERM)
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

// An old master that is killed while the new one starts leaves it the service.
func TestOldMasterKilledDuringUpgrade(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", master.Config{Workers: 1, MinUptime: 1500 * time.Millisecond})
	l := startLoad(p.addr(), "/", 8)
	p.signal(syscall.SIGUSR2)
	p.waitLog("worker ready", 2)
	p.signal(syscall.SIGKILL)
	p.waitLog("master took over", 1)
	p.reload()
	l.mustBeWhole(t)
}

// HUP during an upgrade waits for its end, whichever it is.
func TestReloadDuringUpgrade(t *testing.T) {
	t.Parallel()
	d := release(t, "good")
	cfg := master.Config{Workers: 1, MinUptime: time.Second, ReadyTimeout: 3 * time.Second, KillAfter: 100 * time.Millisecond}
	p := start(t, "version", cfg, flagsEnv+"="+d.path)
	p.signal(syscall.SIGUSR2)
	p.waitLog("new master is there", 1)
	p.signal(syscall.SIGHUP)
	p.waitLog("master took over", 1)
	p.waitLog("reload done", 1)
	d.write("hangs")
	p.signal(syscall.SIGUSR2)
	p.waitLog("new master is there", 2)
	p.signal(syscall.SIGHUP)
	p.waitLog("upgrade failed", 1)
	p.waitLog("rota: reload generation=", 2)
}
