package workerproc

import (
	"testing"
	"testing/synctest"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// The master may ask for the counters at any time, and the worker stays.
func TestCount(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for range 3 {
			b.CountAccepted()
		}
		b.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Count, Call: 7}}
		synctest.Wait()
		b.link.mu.Lock()
		defer b.link.mu.Unlock()
		var body wire.CountedBody
		for _, f := range b.link.sent {
			if f.Type == wire.Counted && f.Call == 7 && f.Decode(&body) == nil && body.Accepted == 3 && b.IsConnected() {
				return
			}
		}
		t.Errorf("counted %+v; connected: %v", body, b.IsConnected())
	})
}

// A worker says once that it has served as many requests as it may: connections, or requests where these count.
func TestWorn(t *testing.T) {
	for name, tc := range map[string]struct {
		most int64
		use  func(*Worker)
		worn bool
	}{
		"connections":       {3, func(w *Worker) { w.CountAccepted() }, true},
		"no limit":          {0, func(w *Worker) { w.CountAccepted() }, false},
		"requests":          {3, func(w *Worker) { w.CountsRequests(); w.EndRequest(0, 0) }, true},
		"connections of it": {3, func(w *Worker) { w.CountsRequests(); w.CountAccepted() }, false},
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			b.times.Store(&wire.WelcomeBody{MaxRequests: tc.most})
			for range 2 {
				tc.use(b.Worker)
			}
			if n := b.link.count(wire.Worn); n != 0 {
				t.Errorf("%s: worn by 2 of 3", name)
			}
			for range 10 {
				tc.use(b.Worker)
			}
			if n := b.link.count(wire.Worn); (n == 1) != tc.worn || n > 1 {
				t.Errorf("%s: it says so %d times, want %v", name, n, tc.worn)
			}
		})
	}
}
