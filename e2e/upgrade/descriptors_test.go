//go:build linux

package upgrade

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// O_NONBLOCK belongs to the open file, which all masters and workers share: if one of them
// cleared it, Accept would block in all.
func TestUpgradeKeepsSocketsNonblocking(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	stop, watched := make(chan struct{}), make(chan struct{})
	var looks atomic.Int64
	pid := p.Children()[0]
	go func() { defer close(watched); watchFlags(t, pid, &looks, stop) }()
	e2etest.WaitFor(t, "the flags to be read", func() bool { return looks.Load() >= 10 })
	p.Upgrade()
	close(stop)
	<-watched
	l.MustBeWhole(t)
	for _, pid := range append(p.Children(), p.PID()) {
		e2etest.SocketsAreSafe(t, pid)
	}
}

// watchFlags reads the flags of the sockets of a process until it ends or stop is closed,
// and counts them.
func watchFlags(t *testing.T, pid int, looks *atomic.Int64, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if !e2etest.Alive(pid) {
			return
		}
		for _, f := range e2etest.SocketFlagsNow(pid) {
			if f&e2etest.Nonblock == 0 {
				t.Errorf("process %d has a socket with flags %o: want O_NONBLOCK", pid, f)
				return
			}
			looks.Add(1)
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
