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
		b.drain.counters.accepted.Store(3)
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
