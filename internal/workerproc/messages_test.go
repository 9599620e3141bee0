//go:build linux

package workerproc

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// A broadcast says who has sent it, a message of the master doesn't, and they stay in order.
func TestBroadcastIsReceived(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		var from []int
		b.OnMessage(func(m ipc.Message) { from = append(from, m.From) })
		b.receive(wire.Message, "one")
		b.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Broadcast, Call: 9, Body: []byte("2")}}
		b.receive(wire.Message, "three")
		if want := []int{0, 9, 0}; !slices.Equal(from, want) {
			t.Errorf("from %v, want %v", from, want)
		}
	})
}

func TestBroadcastIsSent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.Broadcast("all"); err != nil {
			t.Error(err)
		}
		if err := b.Broadcast(func() {}); err == nil {
			t.Error("a function was sent")
		}
		if n := b.link.count(wire.Broadcast); n != 1 || b.link.count(wire.Message) != 0 {
			t.Errorf("%d broadcasts were sent, want 1", n)
		}
		_ = b.Disconnect()
		<-b.Done()
		if err := b.Broadcast("too late"); err == nil {
			t.Error("a worker that has left can broadcast")
		}
	})
}

// taken returns what the worker has said that it has taken.
func (b *bench) taken() (all []int) {
	synctest.Wait()
	b.link.mu.Lock()
	defer b.link.mu.Unlock()
	for _, f := range b.link.sent {
		var body wire.TakenBody
		if f.Type == wire.Taken && f.Decode(&body) == nil {
			all = append(all, body.Messages)
		}
	}
	return all
}

// The master learns within a tenth of a second what the program has taken, in one frame for
// many messages, and when the worker leaves.
func TestTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Message, 0)
		time.Sleep(time.Minute)
		if got := b.taken(); len(got) != 0 {
			t.Errorf("told %v before OnMessage", got)
		}
		b.OnMessage(func(ipc.Message) {})
		for i := range 9 {
			b.receive(wire.Message, i)
		}
		time.Sleep(reportsWithin)
		if got := b.taken(); !slices.Equal(got, []int{10}) {
			t.Errorf("told %v, want 10", got)
		}
		b.receive(wire.Message, 10)
		_ = b.Disconnect()
		<-b.Done()
		if got := b.taken(); !slices.Equal(got, []int{10, 11}) {
			t.Errorf("told %v, want 10 and 11", got)
		}
	})
}
