//go:build linux

package upgrade

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

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
	p.EndsWell(busy)
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

// If the new master is killed just after it took over, all requests in flight are answered, those of
// the old master's workers and of its own. Nobody serves then, and the address is free at once: the
// next start doesn't wait for them.
func TestNewMasterKilledAfterTakeover(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(1))
	old := p.InFlight("/?sleep=4s")
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.TookOver, 1)
	next := p.InFlight("/?sleep=4001ms")
	p.Signal(syscall.SIGKILL)
	e2etest.WaitFor(t, "a free address", func() bool {
		ln, err := net.Listen("tcp", p.Addr())
		if err == nil {
			ln.Close()
		}
		return err == nil
	})
	if len(old) > 0 || len(next) > 0 {
		t.Error("a request in flight has ended before the address was free")
	}
	for name, request := range map[string]<-chan error{"old": old, "new": next} {
		if err := <-request; err != nil {
			t.Errorf("the request in flight at the %s worker: %v", name, err)
		}
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("the old master ends with status %d, want 0", status)
	}
}

// A reload asked for during an upgrade starts when the upgrade has ended, whether or not it has succeeded.
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
	if p.Logged(e2etest.NoReload) > 0 {
		t.Errorf("the old master logs that there is no reload, and the new one has done it:\n%s", p.Log)
	}
	d.Write("hangs")
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.SuccessorStarted, 2)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.UpgradeFailed, 1)
	p.WaitLog(e2etest.ReloadStarts, 2)
}
