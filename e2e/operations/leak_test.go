//go:build linux

package operations

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// After many reloads and upgrades the master has no more descriptors, goroutines and memory
// than at the start, and no zombies.
func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "m")
	p := e2etest.Start(t, "observed", runMain(), e2etest.FlagsEnv+"="+base)
	p.Upgrade() // the first opens what stays open
	p.Reload()
	p.WaitIdle(2)
	before := footprintOf(p, base)
	for range e2etest.Times(200, 20) {
		p.Reload()
	}
	for range e2etest.Times(20, 3) {
		p.Upgrade()
	}
	p.Reload()
	p.WaitIdle(2)
	after := before
	e2etest.WaitFor(t, fmt.Sprintf("the master to be as at the start: %+v", before), func() bool {
		after = footprintOf(p, base)
		return after.files <= before.files && after.goroutines <= before.goroutines
	}, func() string { return fmt.Sprintf("%+v", after) })
	t.Logf("before %+v, after %+v", before, after)
	if after.rss > before.rss*11/10 {
		t.Errorf("memory has grown from %d to %d KB", before.rss, after.rss)
	}
	if n := e2etest.Zombies(p.PID()); n > 0 {
		t.Errorf("%d zombies", n)
	}
}

type footprint struct{ files, goroutines, rss int }

func footprintOf(p *e2etest.Process, base string) footprint {
	n := goroutines(fmt.Sprintf("%s.%d", base, p.PID()))
	return footprint{e2etest.Descriptors(p.PID()), n, e2etest.ResidentKB(p.PID())}
}
