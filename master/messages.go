package master

import (
	"fmt"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

const (
	// maxWaiting bounds what of a worker's messages waits for the event functions,
	// in bytes, and separately what is kept for the first to subscribe to them.
	maxWaiting = 1 << 20

	// maxLeaving is maxWaiting for a worker that leaves: what it has sent before is
	// delivered, and its link can't end before it is read.
	maxLeaving = 16 << 20
)

// Send sends v to the worker as JSON, and handles with it, and returns at once: the
// worker gets it at worker.Self().OnMessage, after all that was sent before. That it
// was sent doesn't mean that it arrives: a worker may die. It fails, and nothing was
// sent, with ErrDisconnected where there is no link, with ErrQueueFull where the worker
// doesn't read fast enough, with ipc.ErrTooLarge, with ipc.ErrHandle, and where v
// can't be JSON.
func (w *Worker) Send(v any, handles ...ipc.Handle) error {
	to := w.link.Load()
	if to == nil || !w.IsConnected() {
		return fmt.Errorf("send to worker %d: %w", w.id, ErrDisconnected)
	}
	if err := ipc.Send(*to, v, handles); err != nil {
		return fmt.Errorf("send to worker %d: %w", w.id, err)
	}
	return nil
}

// deliver brings what was read to the loop, or, if it is nothing but messages and
// the loop has done all that came before, past it: a worker that talks a lot costs
// the loop nothing. It blocks while too much waits for the event functions.
func (l *loop) deliver(m *member, packets []control.Packet) {
	size, only := 0, true
	for _, p := range packets {
		if p.Type == wire.Message {
			size += ipc.Cost(p)
		} else {
			only = false
		}
	}
	if size > 0 {
		m.worker.gate.Enter(size)
	}
	if only && m.direct.Load() && m.behind.Load() == 0 {
		l.m.events.emitMessages(m.worker, packets, size)
		return
	}
	m.behind.Add(1)
	l.m.calls <- func(l *loop) { l.received(m, packets); m.behind.Add(-1) } // the loop lives as long as this works
}

// messages returns how many of packets, from the first, are messages.
func messages(packets []control.Packet) (n, size int) {
	for n < len(packets) && packets[n].Type == wire.Message {
		size += ipc.Cost(packets[n])
		n++
	}
	return n, size
}

// emitMessages queues messages of w. It takes packets; size is what they hold of the
// worker's gate. What nobody has subscribed to is kept for the first who does.
func (e *events) emitMessages(w *Worker, packets []control.Packet, size int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.subs {
		if s.Message != nil && (s.worker == 0 || s.worker == w.id) {
			e.push(event{worker: w, packets: packets, size: size})
			return
		}
	}
	w.gate.Leave(size)
	e.keep(w, packets)
}

func (e *events) deliverMessages(ev *event, subs []*subscription) {
	for _, p := range ev.packets {
		msg := ipc.Received(p)
		for _, s := range subs {
			if s.Message != nil && s.wants(ev) {
				e.message(s, ev.worker, msg)
			}
		}
		p.Close()
	}
	ev.worker.gate.Leave(ev.size)
}

func (e *events) message(s *subscription, w *Worker, msg ipc.Message) {
	defer e.recovered()
	s.Message(w, msg)
}
