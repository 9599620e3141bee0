//go:build linux

package operations

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// startInit runs a helper as PID 1 of a PID namespace that has a /proc of its own.
func startInit(t *testing.T) *e2etest.Process {
	t.Helper()
	if out, err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("no PID namespaces here: %v: %s", err, out)
	}
	cmd := e2etest.Command(t, "init", runMain())
	cmd.Args = []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child", cmd.Path}
	var err error
	cmd.Path, err = exec.LookPath("unshare")
	e2etest.NoError(t, err)
	p := e2etest.Begin(t, cmd)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and with it, by --kill-child, all in the namespace
		<-p.Ended
		p.LeavesNothing()
	})
	p.WaitLog(e2etest.WorkerReady, 2)
	return p
}

// inside returns the pid of the PID 1 of the namespace, as it is outside.
func inside(t *testing.T, p *e2etest.Process) int {
	t.Helper()
	all := p.Children()
	if len(all) != 1 {
		t.Fatalf("unshare has the children %v", all)
	}
	return all[0]
}

func TestInitDrains(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	busy := p.InFlight("/?sleep=400ms")
	e2etest.NoError(t, syscall.Kill(inside(t, p), syscall.SIGTERM))
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

// The master reaps orphans as PID 1. A child of the program that ended before them keeps
// its exit status until the program waits for it.
func TestInitReapsOrphans(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	init := inside(t, p)
	for range 5 { // the shell ends, and leaves a child behind
		_, err := e2etest.Request("tcp", p.Addr(), "/?spawn="+"sleep+1+>/dev/null+2>%261+%26")
		e2etest.NoError(t, err)
	}
	orphans := e2etest.ChildrenNamed(init, "sleep")
	if len(orphans) == 0 {
		t.Fatal("PID 1 has no orphan")
	}
	e2etest.WaitFor(t, "the orphans to be reaped", func() bool {
		for _, pid := range orphans {
			if e2etest.Exists(filepath.Join("/proc", strconv.Itoa(pid))) {
				return false
			}
		}
		return true
	})
	p.WaitOutput("child of the program: exit status 7", 1)
	e2etest.WaitFor(t, "no zombie", func() bool { return e2etest.Zombies(init) == 0 })
	if n := p.Logged(e2etest.WorkerDied); n > 0 {
		t.Errorf("%d workers have died:\n%s", n, p.Log)
	}
}

func TestInitRefusesUpgrades(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	e2etest.NoError(t, syscall.Kill(inside(t, p), syscall.SIGUSR2))
	p.WaitLog(e2etest.IsPID1, 1)
	e2etest.NoError(t, syscall.Kill(inside(t, p), syscall.SIGHUP))
	p.WaitLog(e2etest.ReloadDone, 1)
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Error(err)
	}
}

// A worker is no orphan: the master gets its exit status.
func TestInitKeepsItsWorkersStatus(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	for i := range 5 {
		worker := e2etest.WorkersOf(inside(t, p))
		if len(worker) == 0 {
			t.Fatal("no worker")
		}
		e2etest.Kill(t, worker[0])
		p.WaitLog(e2etest.WorkerDied, i+1)
		p.WaitLog(e2etest.WorkerReady, i+3)
	}
	if n := p.Logged(e2etest.KilledBySignal); n != 5 {
		t.Errorf("%d of 5 workers are logged as killed:\n%s", n, p.Log)
	}
}
