//go:build linux

package limits

import (
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// TestFailedUpgradesHoldNothing: each failed upgrade gives its descriptors back, also in a
// process that collects no garbage by itself. One, of the last attempt, stays until the next.
func TestFailedUpgradesHoldNothing(t *testing.T) {
	t.Parallel()
	d := server.NewRelease(t, "good")
	p := e2etest.Start(t, "version", server.Quick(1), d.Flags, "GOGC=off")
	d.Write("master exits")
	upgrade := func(n int) {
		t.Helper()
		p.Signal(syscall.SIGUSR2)
		p.WaitLog(e2etest.UpgradeFailed, n)
	}
	upgrade(1)
	before := e2etest.Descriptors(p.PID())
	for i := range 40 {
		upgrade(i + 2)
	}
	e2etest.WaitFor(t, "the descriptors to be closed", func() bool { return e2etest.Descriptors(p.PID()) <= before })
	d.Write("good")
	p.Upgrade()
}
