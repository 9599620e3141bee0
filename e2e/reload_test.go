//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

const (
	loops   = 32
	reloads = 20
)

// TestReloadUnderLoad proves that a reload costs no request, one connection a request. The
// next reload starts when the generation has a request.
func TestReloadUnderLoad(t *testing.T) {
	for _, tc := range []struct {
		name, helper, path string
		workers            int
	}{
		{"two workers", "serve", "/", 2},
		{"one worker", "serve", "/", 1},
		{"slow handler", "serve", "/?sleep=200ms", 2},
		{"slow handler, one worker", "serve", "/?sleep=200ms", 1},
		{"srv.Shutdown in the hook", "shutdown", "/?sleep=20ms", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := e2etest.Start(t, tc.helper, server.Quick(tc.workers))
			l := e2etest.StartLoad(p.Addr(), tc.path, loops)
			n := reloads
			if testing.Short() {
				n = 5
			}
			l.AnsweredBy(p, tc.path, 1)
			for i := range n {
				p.Reload()
				l.AnsweredBy(p, tc.path, i+2)
				l.Goes(t, loops/4)
			}
			if r := l.MustBeWhole(t); r.Generations != n+1 {
				t.Errorf("%d generations answered, want %d", r.Generations, n+1)
			}
		})
	}
}

// With the default configuration a reload waits for MinUptime. All signals that come
// meanwhile are one more reload.
func TestReloadsCoalesce(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", master.Config{Workers: 1, MinUptime: 500 * time.Millisecond})
	l := e2etest.StartLoad(p.Addr(), "/", 4)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.ReloadOf(2), 1)
	for range 50 {
		p.Signal(syscall.SIGHUP)
	}
	p.WaitLog(e2etest.ReloadDone, 2)
	p.WaitLog(e2etest.WorkerLeft, 2)
	l.MustBeWhole(t)
	if n := p.Logged(e2etest.ReloadDone); n != 2 {
		t.Errorf("%d reloads, want 2: the first, and one for all signals that came during it", n)
	}
}
