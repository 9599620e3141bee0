package master

import (
	"context"
	"fmt"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/window"
	"github.com/rota-go/rota/internal/wire"
)

const (
	// maxDraining is delivery.MaxWaiting for a worker that drains, in bytes: what it has
	// sent is delivered, and its link can't end before it is read.
	maxDraining = 16 << 20

	// refuseTimeout is how long a worker whose link is closed may take to read why.
	refuseTimeout = time.Second
)

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

// received handles packets of a worker. If one violates the protocol, the worker's link is
// closed. It owns packets.
func (l *loop) received(m *member, packets []link.Packet) {
	for len(packets) > 0 {
		if n, size := messages(packets); n > 0 && m.hello != nil {
			l.m.events.EmitMessages(m.worker.source, packets[:n:n], size)
			l.m.events.Start()
			packets = packets[n:]
			continue
		}
		if err := l.handle(m, packets[0]); err != nil {
			l.closeLink(m, packets, err)
			return
		}
		packets = packets[1:]
	}
}

// closeLink closes the link of a worker that violates the protocol, and the descriptors of
// its packets. What was sent to the worker, such as a refusal, is delivered first.
func (l *loop) closeLink(m *member, packets []link.Packet, why error) {
	for _, p := range packets {
		p.Close()
	}
	m.direct.Store(false)
	l.log.Error("rota: worker violates the protocol, its link is closed", "worker", m.ID, "pid", m.pid(), "err", why)
	to := m.process.link
	l.work(func() func() {
		ctx, cancel := context.WithTimeout(context.Background(), refuseTimeout)
		defer cancel()
		_ = to.CloseWrite(ctx) // fails if the link is closed already
		_ = to.Close()
		return func() {}
	})
}

// handle handles a frame of a worker. It owns p's descriptors unless it fails.
func (l *loop) handle(m *member, p link.Packet) error {
	if m.hello == nil && p.Type != wire.Hello {
		return fmt.Errorf("%w: %v before hello", wire.ErrType, p.Type)
	}
	if len(p.Files) > 0 {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	switch p.Type {
	case wire.Hello:
		return l.hello(m, p)
	case wire.Listen:
		return l.listen(m, p)
	case wire.Accepting:
		return l.accepting(m, p)
	case wire.Closed:
		return l.closed(m, p)
	case wire.Draining:
		l.draining(m)
	case wire.Ready:
		m.isReady = true
	case wire.Watch:
		l.startHealthChecks(m)
	case wire.Checked:
		return l.healthChecked(m, p)
	case wire.Retire:
		m.Retired = true
	default:
		return fmt.Errorf("%w: %v from a worker", wire.ErrType, p.Type)
	}
	return nil
}

// hello accepts a worker, or refuses it if it speaks another version of the protocol.
func (l *loop) hello(m *member, p link.Packet) error {
	var body wire.HelloBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	if body.Max < wire.MinVersion || body.Min > wire.Version {
		reason := fmt.Sprintf("it speaks versions %d to %d of the protocol, this master %d to %d",
			body.Min, body.Max, wire.MinVersion, wire.Version)
		m.send(wire.Refuse, wire.RefuseBody{Reason: reason})
		return fmt.Errorf("%w: %s", wire.ErrVersion, reason)
	}
	m.hello = &body
	m.direct.Store(true)
	m.send(wire.Welcome, wire.WelcomeBody{
		Version: min(body.Max, wire.Version),
		Grace:   m.gen.cfg.grace(), IdleGrace: m.gen.cfg.idleGrace(), HoldOff: l.holdOff(m),
	})
	m.publish()
	l.m.events.Emit(m.worker.source, func(e *Events) { call(e.Online, m.worker) })
	return nil
}
