//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/master"
)

// A crash costs what the crashed process had accepted, and nothing else: rule 1 of
// section 1. No connection is refused, with one worker too.

func TestWorkerKilledUnderLoad(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(plural(workers), func(t *testing.T) {
			p := start(t, "serve", quick(workers))
			l := startLoad(p.addr(), "/", 8)
			const kills = 5
			for i := range kills {
				victim := p.living()[0]
				if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				p.waitLog("worker died", i+1)
				p.waitLog("worker ready", workers+i+1)
			}
			l.end()
			t.Log(l)
			if l.refused > 0 {
				t.Errorf("%d connections were refused", l.refused)
			}
			if max := kills * 8; len(l.failures) > max {
				t.Errorf("%d requests failed, more than the killed can have had (%d)", len(l.failures), max)
			}
		})
	}
}

func plural(workers int) string {
	if workers == 1 {
		return "one worker"
	}
	return "two workers"
}

// The master's death ends the workers: idle ones at once, busy ones within the
// grace, and the requests that they have are answered.
func TestMasterKilled(t *testing.T) {
	p := start(t, "serve", quick(2))
	busy := inFlight(t, p, "/?sleep=1500ms")
	workers := p.living()
	if len(workers) != 2 {
		t.Fatalf("living workers: %v", workers)
	}
	p.signal(syscall.SIGKILL)
	<-p.ended
	killed := time.Now()
	waitFor(t, "the idle worker to be gone", func() bool { return !alive(workers[0]) || !alive(workers[1]) })
	if d := time.Since(killed) - exitTime; d > time.Second {
		t.Errorf("the idle worker took %v to leave, want at most 1s", d)
	}
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	waitFor(t, "the busy worker to be gone", func() bool { return !alive(workers[0]) && !alive(workers[1]) })
}

// A main that hangs is no orphan either.
func TestMasterKilledWhileMainHangs(t *testing.T) {
	t.Parallel()
	p := start(t, "hang-after", quick(1))
	workers := p.living()
	p.signal(syscall.SIGKILL)
	<-p.ended
	waitFor(t, "the worker to be gone", func() bool { return !alive(workers[0]) })
}

// Nor is one whose worker has left, and hangs in its main, when the master dies.
func TestMasterKilledAfterDrain(t *testing.T) {
	t.Parallel()
	p := start(t, "hang-after", master.Config{Workers: 1, MinUptime: -1, KillAfter: time.Minute})
	old := p.living()
	p.reload()
	p.waitLog("main hangs", 1)
	p.signal(syscall.SIGKILL)
	<-p.ended
	waitFor(t, "the old worker to be gone", func() bool { return !alive(old[0]) })
}
