//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The master as PID 1 of a container.

// startInit runs a helper as PID 1 of a PID namespace with a /proc of its own.
func startInit(t *testing.T) *process {
	t.Helper()
	if out, err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("no PID namespaces here: %v: %s", err, out)
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", self(t))
	cmd.Env = append(os.Environ(), "ROTA=on", helperEnv+"=init", configEnv+`={"Workers":2,"MinUptime":-1}`)
	p := begin(t, cmd)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and with it, by --kill-child, all in the namespace
		<-p.ended
		p.leavesNothing()
	})
	p.waitLog("worker ready", 2)
	return p
}

// inside is the pid of the namespace's PID 1, as it is outside.
func (p *process) inside() int {
	p.t.Helper()
	all := p.living()
	if len(all) != 1 {
		p.t.Fatalf("unshare has the children %v", all)
	}
	return all[0]
}

func TestInitDrains(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	busy := inFlight(t, p, "/?sleep=400ms")
	noError(t, syscall.Kill(p.inside(), syscall.SIGTERM))
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

// Orphans are reaped; a child of the program that died before them keeps its exit
// status for whoever waits for it.
func TestInitReapsOrphans(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	init := p.inside()
	for range 5 { // the shell ends, and leaves a child behind
		_, err := request("tcp", p.addr(), "/?spawn="+"sleep+1+>/dev/null+2>%261+%26")
		noError(t, err)
	}
	orphans := childrenNamed(init, "sleep")
	if len(orphans) == 0 {
		t.Fatal("no orphan has fallen to PID 1")
	}
	waitFor(t, "the orphans to be reaped", func() bool {
		for _, pid := range orphans {
			if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
				return false
			}
		}
		return true
	})
	p.waitLog("child of the program: exit status 7", 1)
	waitFor(t, "no zombie", func() bool { return zombiesOf(init) == 0 })
	if n := p.log.Count("worker died"); n > 0 {
		t.Errorf("%d workers have died:\n%s", n, p.log)
	}
}

func childrenNamed(parent int, name string) (pids []int) {
	tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(parent), "task/*/children"))
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			if comm, _ := os.ReadFile(filepath.Join("/proc", f, "comm")); strings.TrimSpace(string(comm)) == name {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func TestInitSaysWhyItIsNotUpgraded(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	noError(t, syscall.Kill(p.inside(), syscall.SIGUSR2))
	p.waitLog("this process is PID 1", 1)
	noError(t, syscall.Kill(p.inside(), syscall.SIGHUP))
	p.waitLog("reload done", 1)
	if _, err := request("tcp", p.addr(), "/"); err != nil {
		t.Error(err)
	}
}

// A worker that dies is no orphan: its status is its master's.
func TestInitKeepsItsWorkersStatus(t *testing.T) {
	t.Parallel()
	p := startInit(t)
	for i := range 5 {
		worker := childrenNamed(p.inside(), filepath.Base(self(t))[:min(15, len(filepath.Base(self(t))))])
		if len(worker) == 0 {
			t.Fatal("no worker")
		}
		kill(t, worker[0])
		p.waitLog("worker died", i+1)
		p.waitLog("worker ready", i+3)
	}
	if n := p.log.Count(`exit="signal: killed"`); n != 5 {
		t.Errorf("%d of 5 killed workers were said to be:\n%s", n, p.log)
	}
}
