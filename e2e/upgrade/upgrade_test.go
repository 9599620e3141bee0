//go:build linux

package upgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// SIGUSR2 replaces the master without a failed request. See docs/decisions/0020.
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
			p := e2etest.Start(t, tc.helper, server.Quick(tc.workers))
			addr := p.Addr()
			l := e2etest.StartLoad(addr, tc.path, 16)
			l.AddKeepAlive(addr, e2etest.Get(tc.path), 8, 0)
			n := 10
			if testing.Short() {
				n = 3
			}
			l.AnsweredBy(p, tc.path, 1)
			for i := range n {
				p.Upgrade()
				l.AnsweredBy(p, tc.path, i+2)
			}
			if r := l.MustBeWhole(t); r.Generations != n+1 {
				t.Errorf("%d generations answered, want %d", r.Generations, n+1)
			}
			if now := p.Addr(); now != addr {
				t.Errorf("the address was %s and is %s", addr, now)
			}
		})
	}
}

// The new master has the number of workers, the generation, the next worker id, the slots,
// the ports and the PID file of the old one.
func TestUpgradeKeepsNumbers(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	cfg := server.Quick(2)
	cfg.PIDFile = pidFile
	p := e2etest.Start(t, "two-ports", cfg)
	p.Signal(syscall.SIGTTIN)
	p.WaitLog(e2etest.WorkerReady, 3)
	p.Reload()
	p.Upgrade()
	p.Reload()
	p.WaitOutput("ports", 3+3+3+3)
	lines := server.PortLines(p)
	if len(lines) != 1 {
		t.Errorf("the ports have changed: %v", lines)
	}
	for worker, slot := range map[int]int{1: 0, 3: 2, 7: 0, 9: 2, 12: 2} {
		want := e2etest.InSlot(slot, (worker+2)/3)
		if !p.LoggedTogether(e2etest.WorkerReady.OfWorker(worker), want) {
			t.Errorf("worker %d is not of %s:\n%s", worker, want, p.Log)
		}
	}
	b, err := os.ReadFile(pidFile)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(p.PID()) {
		t.Errorf("the PID file holds %q, %v; the master is %d", b, err, p.PID())
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if left, _ := filepath.Glob(pidFile + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// A new master that fails changes nothing, in whichever way it fails.
func TestBrokenUpgrade(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	for _, tc := range []struct {
		kind string
		why  e2etest.Line
	}{
		{"master exits", e2etest.SuccessorExited},
		{"master hangs", e2etest.NotReadyInTime},
		{"exits", e2etest.DiedBeforeReady(3)},
		{"hangs", e2etest.NotReadyInTime},
		{"dies", e2etest.DiedBeforeReady(4)},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			d := server.NewRelease(t, "good")
			cfg := master.Config{
				Workers: 2, Surge: 2, MinUptime: 1500 * time.Millisecond, // seven times what "dies" lives
				ReadyTimeout: 2500 * time.Millisecond, KillAfter: 100 * time.Millisecond,
			}
			p := e2etest.Start(t, "version", cfg, d.Flags)
			old := p.PID()
			l := e2etest.StartLoad(p.Addr(), "/", 8)
			d.Write(tc.kind)
			p.Signal(syscall.SIGUSR2)
			p.WaitLog(e2etest.UpgradeFailed, 1)
			if !p.LoggedTogether(e2etest.UpgradeFailed, tc.why) {
				t.Errorf("the log doesn't say %q:\n%s", tc.why, p.Log)
			}
			d.Write("good")
			p.Reload()
			if p.PID() != old || !e2etest.Alive(old) {
				t.Errorf("the master was %d and is %d", old, p.PID())
			}
			if tc.kind == "master exits" {
				p.Upgrade() // and a good one works
			}
			l.MustBeWhole(t)
		})
	}
}

// O_NONBLOCK belongs to the open file, which all masters and workers share: if one of them
// cleared it, Accept would block in all.
func TestUpgradeKeepsSocketsNonblocking(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	stop, watched := make(chan struct{}), make(chan int)
	pid := p.Children()[0]
	go func() { watched <- watchFlags(t, pid, stop) }()
	p.Upgrade()
	close(stop)
	if n := <-watched; n < 10 {
		t.Errorf("the flags were looked at %d times only", n)
	}
	l.MustBeWhole(t)
	for _, pid := range append(p.Children(), p.PID()) {
		e2etest.SocketsAreSafe(t, pid)
	}
}

// watchFlags reads the flags of the sockets of a process until it ends or stop is closed.
// It returns how many it has read.
func watchFlags(t *testing.T, pid int, stop <-chan struct{}) (looks int) {
	for {
		select {
		case <-stop:
			return looks
		default:
		}
		if !e2etest.Alive(pid) {
			return looks
		}
		for _, f := range e2etest.SocketFlagsNow(pid) {
			if f&e2etest.Nonblock == 0 {
				t.Errorf("process %d has a socket with flags %o: it blocks", pid, f)
				return looks
			}
			looks++
		}
	}
}

// Workers of a new master, and their children, have no variable and no descriptor of the
// upgrade.
func TestUpgradeLeavesNothingToWorkers(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(1))
	before := p.WorkerDescriptors()
	p.Upgrade()
	p.WaitChildren(1)
	e2etest.WaitFor(t, fmt.Sprintf("a worker to have no more descriptors than the %d of one of the first master", before),
		func() bool { return p.WorkerDescriptors() <= before })
	for _, pid := range append(p.Children(), p.PID()) {
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if pid != p.PID() && (strings.Contains(string(env), "TABLEFLIP") || strings.Contains(string(env), "ROTA_UPGRADE")) {
			t.Errorf("worker %d has %q", pid, env)
		}
	}
	for _, command := range []string{"env", "ls+-l+/proc/self/fd"} {
		out, err := e2etest.Request("tcp", p.Addr(), "/?spawn="+command)
		if err != nil || strings.Contains(out, "TABLEFLIP") || strings.Contains(out, "ROTA_UPGRADE") || strings.Contains(out, "socket:") {
			t.Errorf("a worker's child has %s %v", out, err)
		}
	}
}

// SIGTERM during an upgrade ends both masters, and requests in flight are answered.
func TestTermDuringUpgrade(t *testing.T) {
	t.Parallel()
	d := server.NewRelease(t, "good")
	cfg := server.Quick(2)
	cfg.KillAfter = 100 * time.Millisecond // those that hang
	p := e2etest.Start(t, "version", cfg, d.Flags)
	busy := p.InFlight("/?sleep=400ms")
	d.Write("hangs")
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.SuccessorStarted, 1)
	p.Signal(syscall.SIGTERM)
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

// If the old master is killed while the new one starts, the new one takes over.
func TestOldMasterKilledDuringUpgrade(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", master.Config{Workers: 1, MinUptime: 1500 * time.Millisecond})
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.WorkerReady, 2)
	p.Signal(syscall.SIGKILL)
	p.WaitLog(e2etest.TookOver, 1)
	p.Reload()
	l.MustBeWhole(t)
}

// A reload asked for during an upgrade starts when the upgrade has ended, well or not.
func TestReloadDuringUpgrade(t *testing.T) {
	t.Parallel()
	d := server.NewRelease(t, "good")
	cfg := master.Config{Workers: 1, MinUptime: time.Second, ReadyTimeout: 3 * time.Second, KillAfter: 100 * time.Millisecond}
	p := e2etest.Start(t, "version", cfg, d.Flags)
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.SuccessorStarted, 1)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.TookOver, 1)
	p.WaitLog(e2etest.ReloadDone, 1)
	d.Write("hangs")
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.SuccessorStarted, 2)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.UpgradeFailed, 1)
	p.WaitLog(e2etest.ReloadStarts, 2)
}
