//go:build linux

package master

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Clients of the control socket that send garbage, or ask and never read, don't delay the loop.
func TestHostileClientsOfControl(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rota.sock")
	m := newMaster(Config{Workers: 20, MinUptime: -1, Control: path, Logger: slog.New(slog.DiscardHandler)}, (&fakeOS{}).sys())
	defer m.Close()
	go func() { _ = m.Run(context.Background()) }()
	for s := range m.Watch(t.Context()) {
		if s.Phase == "serving" {
			break
		}
	}
	clients := 0
	for n := range 300 {
		c, err := net.Dial("unix", path)
		if err != nil {
			continue // it is busy
		}
		defer c.Close() // it has read nothing
		clients++
		_, _ = c.Write([]byte([]string{"GET / HTTP/1.1\r\n\r\n", `{"do":"watch"}` + "\n", `{"do":"status"}` + "\n", ""}[n%4]))
	}
	if clients < 200 {
		t.Errorf("%d clients", clients)
	}
	var took []time.Duration
	for n := range 500 {
		_ = m.Scale(20 + n%2) // a change for those that watch
		begin := time.Now()
		_ = m.Settings()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	if p99 := took[len(took)*99/100]; p99 > 100*time.Millisecond {
		t.Errorf("p99 of an answer of the loop: %v", p99)
	} else {
		t.Logf("p50 %v, p99 %v", took[len(took)/2], p99)
	}
}
