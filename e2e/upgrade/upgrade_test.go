//go:build linux

package upgrade

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
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
			t.Errorf("worker %d doesn't have %s:\n%s", worker, want, p.Log)
		}
	}
	b, err := os.ReadFile(pidFile)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(p.PID()) {
		t.Errorf("the PID file holds %q, %v; the master is %d", b, err, p.PID())
	}
	if !p.LoggedTogether(e2etest.ReloadOf(2), e2etest.BySignal("HUP")) || !p.LoggedTogether(e2etest.UpgradeStarts, e2etest.BySignal("USR2")) {
		t.Errorf("the lines don't say who has asked:\n%s", p.Log)
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if left, _ := filepath.Glob(pidFile + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
