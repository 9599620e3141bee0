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

// TestBrokenRelease proves that a reload to a release that doesn't work costs no request:
// the old workers serve on, the master logs why, and the next good reload works.
func TestBrokenRelease(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind string
		why  e2etest.Line
	}{
		{"exits", e2etest.DiedWithStatus(3)},
		{"hangs", e2etest.NotReadyInTime},
		{"dies", e2etest.DiedWithStatus(4)},
	} {
		for _, workers := range []int{1, 2} {
			t.Run(tc.kind+" "+e2etest.Plural(workers), func(t *testing.T) {
				t.Parallel()
				d := server.NewRelease(t, "good")
				cfg := master.Config{
					Workers: workers, MinUptime: time.Second, // five times what "dies" lives
					ReadyTimeout: 2 * time.Second, KillAfter: 100 * time.Millisecond,
				}
				p := e2etest.Start(t, "version", cfg, d.Flags)
				l := e2etest.StartLoad(p.Addr(), "/", 8)
				d.Write(tc.kind)
				p.Signal(syscall.SIGHUP)
				p.WaitLog(e2etest.ReloadFailed, 1)
				p.WaitLog(tc.why, 1)
				d.Write("good")
				p.Reload()
				l.MustBeWhole(t)
			})
		}
	}
}
