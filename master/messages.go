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

// Send sends v as JSON, and handles with it, to the worker, and returns at once. The worker
// gets the message at worker.Self().OnMessage, after all that was sent before. A message
// that was sent may not arrive, if the worker dies first.
//
// Send fails with ErrDisconnected if there is no link, with ErrQueueFull if the worker
// doesn't read fast enough, with ipc.ErrTooLarge, with ipc.ErrHandle, and if v can't be
// encoded as JSON. If it fails, nothing was sent.
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

// reader reads a worker's link. One goroutine at a time runs it.
type reader struct {
	l     *loop
	m     *member
	link  workerLink
	ended chan error // capacity 1: the error of the last Receive
}

// read reads a worker's link until it is closed, and returns why.
func (l *loop) read(m *member, link workerLink) error {
	r := &reader{l: l, m: m, link: link, ended: make(chan error, 1)}
	go r.run()
	return <-r.ended
}

// run reads until the link is closed, or another goroutine reads on.
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

// deliver hands packets to the loop. If they are all messages, and the loop has handled all
// packets before them, it emits them directly, so that many messages don't keep the loop
// busy. It blocks while the worker's window is full, and reports whether the caller reads
// on.
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
	r.l.m.calls <- func(l *loop) { l.received(m, packets); m.behind.Add(-1) } // the loop runs as long as the link is read
	return true
}

// messages returns how many packets at the beginning are messages, and their cost in bytes.
func messages(packets []link.Packet) (n, size int) {
	for n < len(packets) && packets[n].Type == wire.Message {
		size += message.Cost(packets[n])
		n++
	}
	return n, size
}
