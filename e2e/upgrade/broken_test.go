//go:build linux

package upgrade

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// A new master that fails changes nothing, in whichever way it fails.
func TestBrokenUpgrade(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	for _, tc := range []struct {
		kind string
		why  e2etest.Line
	}{
		{"master exits", e2etest.SuccessorExited},
		{"master hangs", e2etest.NotReadyInTime},
		{"exits", e2etest.DiedBeforeReady(3)},
		{"hangs", e2etest.NotReadyInTime},
		{"dies", e2etest.DiedBeforeReady(4)},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			t.Parallel()
			d := server.NewRelease(t, "good")
			cfg := master.Config{
				Workers: 2, Surge: 2, MinUptime: 1500 * time.Millisecond, // seven times what "dies" lives
				ReadyTimeout: 2500 * time.Millisecond, KillAfter: 100 * time.Millisecond,
			}
			p := e2etest.Start(t, "version", cfg, d.Flags)
			old := p.PID()
			l := e2etest.StartLoad(p.Addr(), "/", 8)
			d.Write(tc.kind)
			p.Signal(syscall.SIGUSR2)
			p.WaitLog(e2etest.UpgradeFailed, 1)
			if !p.LoggedTogether(e2etest.UpgradeFailed, tc.why) {
				t.Errorf("the log doesn't say %q:\n%s", tc.why, p.Log)
			}
			d.Write("good")
			p.Reload()
			if p.PID() != old || !e2etest.Alive(old) {
				t.Errorf("the master was %d and is %d", old, p.PID())
			}
			if tc.kind == "master exits" {
				p.Upgrade() // and a good one works
			}
			l.MustBeWhole(t)
		})
	}
}
