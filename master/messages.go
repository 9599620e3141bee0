package master

import (
	"fmt"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/window"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// maxDraining is delivery.MaxWaiting for a worker that drains, in bytes: what it has
// sent is delivered, and its link can't end before it is read.
const maxDraining = 16 << 20

// Send sends v to the worker as JSON, and handles with it, and returns at once: the
// worker gets it at worker.Self().OnMessage, after all that was sent before. That it
// was sent doesn't mean that it arrives: a worker may die. It fails, and nothing was
// sent, with ErrDisconnected where there is no link, with ErrQueueFull where the worker
// doesn't read fast enough, with ipc.ErrTooLarge, with ipc.ErrHandle, and where v
// can't be JSON.
func (w *Worker) Send(v any, handles ...ipc.Handle) error {
	now := w.now()
	if !now.connected {
		return fmt.Errorf("send to worker %d: %w", w.id, ErrDisconnected)
	}
	if err := message.Send(now.link, v, handles); err != nil {
		return fmt.Errorf("send to worker %d: %w", w.id, err)
	}
	return nil
}

// reader reads a worker's link, on one goroutine at a time.
type reader struct {
	l     *loop
	m     *member
	link  workerLink
	ended chan error // capacity 1: why there is nothing to read any more
}

// read reads a worker's link until it ends.
func (l *loop) read(m *member, link workerLink) error {
	r := &reader{l: l, m: m, link: link, ended: make(chan error, 1)}
	go r.run()
	return <-r.ended
}

// run reads until the link ends, or another goroutine reads on.
func (r *reader) run() {
	h := window.NewHandoff(r.run)
	for {
		packets, err := r.link.Receive()
		if err != nil {
			r.link.CloseReceived()
			r.ended <- err
			return
		}
		if !r.deliver(packets, h) {
			return
		}
	}
}

// deliver brings what was read to the loop, or, if it is nothing but messages and
// the loop has done all that came before, past it: a worker that talks a lot costs
// the loop nothing. It blocks while too much waits for the event functions, and
// reports whether the caller is to read on.
func (r *reader) deliver(packets []link.Packet, h *window.Handoff) bool {
	size, only := 0, true
	for i := range packets {
		if packets[i].Type == wire.Message {
			size += message.Cost(packets[i])
		} else {
			only = false
		}
	}
	m, e := r.m, r.l.m.events
	if size > 0 {
		m.worker.source.Window.Acquire(size)
	}
	if only && m.direct.Load() && m.behind.Load() == 0 {
		e.EmitMessages(m.worker.source, packets, size)
		return !e.Claim() || h.Do(e.Deliver)
	}
	m.behind.Add(1)
	r.l.m.calls <- func(l *loop) { l.received(m, packets); m.behind.Add(-1) } // the loop lives as long as the link
	return true
}

// messages returns how many of packets, from the first, are messages.
func messages(packets []link.Packet) (n, size int) {
	for n < len(packets) && packets[n].Type == wire.Message {
		size += message.Cost(packets[n])
		n++
	}
	return n, size
}
