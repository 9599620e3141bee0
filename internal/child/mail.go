package child

import (
	"sync/atomic"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// Mail counts the messages to a worker. Any goroutine may call Send; the other methods are the
// loop's.
type Mail struct {
	sent   atomic.Int64
	taken  int
	misses bool
}

// Send sends a message of the master.
func (b *Mail) Send(to Link, v any, handles []ipc.Handle) error {
	return message.Send(counted{to, &b.sent}, wire.Message, v, handles)
}

// counted is a Link that counts what it sends, from before it does: a worker may have ended when Send returns.
type counted struct {
	Link
	sent *atomic.Int64
}

func (c counted) Send(f wire.Frame, fds ...*descriptor.FD) error {
	c.sent.Add(1)
	err := c.Link.Send(f, fds...)
	if err != nil {
		c.sent.Add(-1)
	}
	return err
}

// Broadcast sends a message of another worker. It reports whether that is the first which the
// worker misses, because it doesn't read.
func (b *Mail) Broadcast(to Link, from int, body []byte) (misses bool) {
	b.sent.Add(1)
	err := to.Send(wire.Frame{Type: wire.Broadcast, Call: uint32(from), Body: body, Fixed: true})
	misses = err != nil && !b.misses
	b.misses = b.misses || err != nil
	return misses
}

// Taken says how many of the messages the program has taken so far.
func (b *Mail) Taken(n int) { b.taken = n }

// Undelivered returns how many it has not.
func (b *Mail) Undelivered() int { return max(int(b.sent.Load())-b.taken, 0) }
