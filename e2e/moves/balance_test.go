//go:build linux

package moves

import (
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// isEven reports whether n workers answer, and none answers more than 1.3 times as many
// connections as another: 1.2 is the rule for all, and the load has some more.
func isEven(bodies map[string]int, n int) bool {
	all := slices.Sorted(maps.Values(bodies))
	return len(all) == n && 10*all[n-1] <= 13*all[0]
}

// A worker that is started beside one that has all connections gets its share of them, and so
// does the next: those that wait for a request and those that are busy. No client
// notices.
func TestConnectionsAreShared(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(1))
	load := e2etest.NewLoad()
	keepers(load, p.Addr(), e2etest.Get("/"), 2, 0)
	keepers(load, p.Addr(), e2etest.Post("/", 1000), 4, 30*time.Millisecond)
	crowd := newCrowd(t, p.Addr(), 400)
	crowd.ask(t)
	for n := 2; n <= 3; n++ {
		p.Signal(syscall.SIGTTIN)
		p.WaitLog(e2etest.WorkerReady, n)
		began := time.Now()
		e2etest.WaitFor(t, "an even share", func() bool {
			time.Sleep(50 * time.Millisecond)
			return isEven(crowd.ask(t), n)
		})
		t.Logf("%d workers share after %v", n, time.Since(began).Round(10*time.Millisecond))
	}
	load.MustBeWhole(t)
}
