//go:build linux

package operations

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// during calls f at each interval, for the time total.
func during(total, every time.Duration, f func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(total); time.Now().Before(end); <-tick.C {
		f()
	}
}

func TestReloadEvery100ms(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	l.AddKeepAlive(p.Addr(), e2etest.Get("/"), 8, 0)
	during(e2etest.Duration(20*time.Second, 2*time.Second), 100*time.Millisecond, func() { p.Signal(syscall.SIGHUP) })
	p.WaitIdle(2)
	l.MustBeWhole(t)
	t.Logf("%d reloads", p.Logged(e2etest.ReloadDone))
}

func TestReloadEveryMillisecond(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	during(time.Second, time.Millisecond, func() { p.Signal(syscall.SIGHUP) })
	p.WaitIdle(2)
	l.MustBeWhole(t)
	t.Logf("%d reloads", p.Logged(e2etest.ReloadDone))
}

// Random signals cost no request. Those that reach a master that is leaving have no effect.
func TestRandomSignals(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	l.AddKeepAlive(p.Addr(), e2etest.Get("/"), 8, 0)
	orders := []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU}
	during(e2etest.Duration(30*time.Second, 3*time.Second), 150*time.Millisecond, func() {
		_ = syscall.Kill(p.PID(), orders[rand.IntN(len(orders))])
	})
	p.WaitUpgrades()
	p.Reload()
	l.MustBeWhole(t)
	t.Logf("%d reloads, %d upgrades", p.Logged(e2etest.ReloadDone), p.Logged(e2etest.TookOver))
}

func TestWorkersKilledDuringReloads(t *testing.T) {
	t.Parallel()
	const workers, clients = 2, 8
	p := e2etest.Start(t, "serve", server.Quick(workers))
	l := e2etest.StartLoad(p.Addr(), "/", clients)
	kills := 0
	during(e2etest.Duration(10*time.Second, 2*time.Second), 200*time.Millisecond, func() {
		if all := p.Children(); len(all) > 0 {
			_ = syscall.Kill(all[rand.IntN(len(all))], syscall.SIGKILL) // it may be leaving
			kills++
		}
		p.Signal(syscall.SIGHUP)
	})
	r := l.End()
	t.Log(r, "after", kills, "kills")
	if r.Refused > 0 || r.Failed > kills*clients {
		t.Errorf("%d refused, %d failed: the workers that were killed had at most %d", r.Refused, r.Failed, kills*clients)
	}
	p.Reload()
}

func TestSurge(t *testing.T) {
	const workers = 4
	cfg := server.Quick(workers)
	cfg.Surge = workers
	p := e2etest.Start(t, "serve", cfg)
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	for range 5 {
		p.Reload()
	}
	p.WaitChildren(workers)
	l.MustBeWhole(t)
}
