//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/master"
)

// A reload costs no request: contract section 7, rule 1 of section 1.

const (
	loops   = 32
	reloads = 20
	every   = 300 * time.Millisecond
)

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
			p := start(t, tc.helper, quick(tc.workers))
			l := startLoad(p.addr(), tc.path, loops)
			n := reloads
			if testing.Short() {
				n = 5
			}
			for range n {
				p.reloadEvery(every)
			}
			waitFor(t, "the last generation to answer", func() bool { return l.seen() == n+1 })
			l.mustBeWhole(t)
		})
	}
}

// reloadEvery reloads, and returns when it is done and d has passed.
func (p *process) reloadEvery(d time.Duration) {
	p.t.Helper()
	next := time.NewTimer(d)
	p.reload()
	<-next.C
}

// seen is how many generations have answered so far.
func (l *load) seen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.generations)
}

// With the default configuration a reload waits for MinUptime, and signals that come
// meanwhile are one more reload.
func TestReloadsCoalesce(t *testing.T) {
	p := start(t, "serve", master.Config{Workers: 1, MinUptime: 300 * time.Millisecond})
	l := startLoad(p.addr(), "/", 4)
	p.signal(syscall.SIGHUP)
	p.waitLog("rota: reload generation=2", 1)
	for range 50 {
		p.signal(syscall.SIGHUP)
	}
	p.waitLog("reload done", 2)
	p.waitLog("worker left", 2)
	l.mustBeWhole(t)
	if n := p.log.count("reload done"); n != 2 {
		t.Errorf("%d reloads, want 2: the first, and one for all that came during it", n)
	}
}
