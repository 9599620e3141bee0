//go:build linux

package spread

import (
	"net"
	"sync"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/reload"
)

// Connections that stay open are given to the workers evenly: at most 1.2 times as many to the busiest as to the
// idlest, of 400 that are opened over five seconds. The kernel's hash alone has 1.6.
func TestHeldConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	each(t, 8, func(t *testing.T, cfg master.Config) {
		cfg.Rebalance = reload.NoLimit
		p := e2etest.Start(t, "serve", cfg, "GOMAXPROCS=1")
		by := hold(t, p.Addr())
		t.Logf("answered by %v", by)
		if uneven := unevenness(by, 8); uneven > 1.2 {
			t.Errorf("%.2f between the busiest and the idlest, want at most 1.2", uneven)
		}
	})
}

// hold opens connections over heldTime that stay open, and returns how many each worker has answered.
func hold(t *testing.T, addr string) (by map[string]int) {
	var mu sync.Mutex
	by = map[string]int{}
	atRate(held/int(heldTime.Seconds()), heldTime, func() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = c.Close() })
		body, _, err := e2etest.NewConn(c).RoundTrip(e2etest.Get("/"))
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		by[workerOf(body)]++
	})
	return by
}
