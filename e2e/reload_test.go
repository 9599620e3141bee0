//go:build linux

package e2e

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/master"
)

// A reload loses no request (docs/contract.md#reload, docs/contract.md#sharing-1).

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
			p.serves(l, 1)
			for i := range n {
				p.reloadEvery(every)
				p.serves(l, i+2)
			}
			l.mustBeWhole(t)
			if seen := len(l.generations); seen != n+1 {
				t.Errorf("%d generations answered, want %d", seen, n+1)
			}
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

// serves waits until a generation has a request of a load. On a machine that stands
// still for a moment it may be replaced before: while all clients wait for the one that
// was there before it.
func (p *process) serves(l *load, generation int) {
	p.t.Helper()
	waitFor(p.t, fmt.Sprintf("generation %d to have a request", generation), func() bool {
		return l.seen(generation) || p.log.Count(fmt.Sprintf("handling %s generation %d\n", l.path, generation)) > 0
	}, p.log.String)
}

// seen reports whether a generation has answered so far.
func (l *load) seen(generation int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.generations[strconv.Itoa(generation)] > 0
}

// With the default configuration a reload waits for MinUptime, and signals that come
// meanwhile are one more reload.
func TestReloadsCoalesce(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", master.Config{Workers: 1, MinUptime: time.Second})
	l := startLoad(p.addr(), "/", 4)
	p.signal(syscall.SIGHUP)
	p.waitLog("rota: reload generation=2", 1)
	for range 50 {
		p.signal(syscall.SIGHUP)
	}
	p.waitLog("reload done", 2)
	p.waitLog("worker left", 2)
	l.mustBeWhole(t)
	if n := p.log.Count("reload done"); n != 2 {
		t.Errorf("%d reloads, want 2: the first, and one for all that came during it", n)
	}
}
