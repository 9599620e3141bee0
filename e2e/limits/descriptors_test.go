//go:build linux

package limits

import (
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// limitDescriptors sets the soft limit of a process, and returns what it was.
func limitDescriptors(t *testing.T, pid int, n uint64) (was uint64) {
	t.Helper()
	var old unix.Rlimit
	e2etest.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old))
	e2etest.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}, nil))
	return old.Cur
}

var newMaster = regexp.MustCompile(`new master is there pid=(\d+)`)

// masters returns the processes that have been a master, or were to be one, and live.
func masters(p *e2etest.Process) (alive []int) {
	pids := []int{p.Cmd.Process.Pid}
	for _, m := range newMaster.FindAllStringSubmatch(p.Log.String(), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		if e2etest.Alive(pid) {
			alive = append(alive, pid)
		}
	}
	return alive
}

// TestDescriptorLimit: a master that may open few descriptors more, or none, reloads,
// replaces a worker that was killed and is upgraded, or fails to, but there is one master
// then, and requests are answered. When the limit is lifted everything works.
func TestDescriptorLimit(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	p := e2etest.Start(t, "serve", server.Quick(2))
	load := e2etest.StartLoad(p.Addr(), "/", 2)
	for n := range 21 {
		underDescriptorLimit(t, p, n)
		if t.Failed() {
			t.Fatalf("with %d descriptors more", n)
		}
	}
	load.End() // a worker that was killed takes its requests with it
	t.Logf("upgrades: %d done, %d failed; reloads: %d done, %d failed", p.Logged(e2etest.TookOver),
		p.Logged(e2etest.UpgradeFailed), p.Logged(e2etest.ReloadDone), p.Logged(e2etest.ReloadFailed))
}

func underDescriptorLimit(t *testing.T, p *e2etest.Process, n int) {
	t.Helper()
	p.WaitChildren(2)
	pid := p.PID()
	was := limitDescriptors(t, pid, uint64(e2etest.Descriptors(pid)+n))
	reloads := p.Logged(e2etest.ReloadStarts)
	p.Signal(syscall.SIGHUP)
	e2etest.WaitFor(t, "the reload", func() bool {
		return p.Logged(e2etest.ReloadStarts) > reloads && p.Logged(e2etest.ReloadStarts) == p.Logged(e2etest.ReloadDone)+p.Logged(e2etest.ReloadFailed)
	}, p.Log.String)
	upgrades := p.Logged(e2etest.UpgradeStarts)
	p.Signal(syscall.SIGUSR2)
	e2etest.WaitFor(t, "the upgrade", func() bool { return p.Logged(e2etest.UpgradeStarts) > upgrades }, p.Log.String)
	p.WaitUpgrades()
	if all := p.Children(); len(all) > 0 {
		e2etest.Kill(t, all[0])
	}
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Error(err)
	}
	if p.PID() == pid {
		limitDescriptors(t, pid, was)
	}
	e2etest.WaitFor(t, "one master", func() bool { all := masters(p); return len(all) == 1 && all[0] == p.PID() }, p.Log.String)
	p.Reload()
	p.WaitChildren(2)
}
