package master

import (
	"fmt"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/tickets"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/status"
)

// read reads a worker's link until it is closed, and returns why.
func (l *loop) read(m *member) error {
	m.reader.Link, m.reader.Collect = m.process.Link, process.Collect
	m.reader.Handle = func(packets []link.Packet, done func()) {
		l.m.loop.Send(func(l *loop) { l.received(m, packets); done() }) // the loop runs as long as the link is read
	}
	return m.reader.Read()
}

// received handles packets of a worker. If one violates the protocol, the worker's link is
// closed: what was sent to the worker, such as a refusal, is delivered first. It owns packets.
func (l *loop) received(m *member, packets []link.Packet) {
	err := m.reader.Each(packets, func(p link.Packet) error { return l.handle(m, p) })
	if err == nil {
		return
	}
	l.log.Error("rota: worker violates the protocol, its link is closed", "worker", m.ID, "pid", m.pid(), "err", err)
	l.work(func() func() { m.process.Refuse(); return func() {} })
}

// handle handles a frame of a worker. It owns p's descriptors unless it fails.
func (l *loop) handle(m *member, p link.Packet) error {
	if (m.hello == nil) != (p.Type == wire.Hello) {
		return fmt.Errorf("%w: %v, hello has come: %t", wire.ErrType, p.Type, m.hello != nil)
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
		return wire.With(p.Frame, func(body *wire.AcceptingBody) { l.accepting(m, body) })
	case wire.Closed:
		return wire.With(p.Frame, func(body *wire.ClosedBody) { l.closed(m, body.ID) })
	case wire.Helped:
		l.sockets.Helped(m.ID)
	case wire.Draining:
		l.lines.Drains(&m.Member, m.pid())
		l.draining(m)
	case wire.Ready:
		m.SaysReady = true
		l.changed(m)
	case wire.Watch:
		l.care.CheckHealth(&m.care)
	case wire.Checked:
		return wire.With(p.Frame, func(body *wire.CheckedBody) { l.care.Checked(&m.care, p.Call, body.Error) })
	case wire.Worn:
		if m.pooled && m.gen.Config.MaxRequests > 0 {
			l.care.Recycle(&m.care, "requests")
		}
	case wire.Report:
		return wire.With(p.Frame, func(body *wire.ReportBody) { l.care.Reported(&m.care, body.Error) })
	case wire.Inherit:
		return m.process.Inherit(p.Call, m.Member, l.giveState)
	case wire.Share:
		return l.shared.Handle(m.ID, p.Frame, l.sockets.Needs(l.terms(m)), m.process.Link.Send)
	case wire.AskStatus:
		return l.teller.Tell(m.ID, p.Call, func(f wire.Frame) { _ = m.process.Link.Send(f) }) // fails if the worker ends
	case wire.Counted:
		return wire.With(p.Frame, func(body *wire.CountedBody) {
			l.balancer.Answered(m.ID, l.counts.Answered(m.ID, status.Counters(body.Counters)), body.Work)
		})
	case wire.Retire:
		m.Retired = true
		l.changed(m)
	case wire.Taken:
		return wire.With(p.Frame, func(body *wire.TakenBody) { m.worker.mail.Taken(body.Messages) })
	case wire.Broadcast:
		l.broadcast(m, p)
	case wire.Lead, wire.Yield:
		return l.leases.Handle(m.ID, m.Generation, p.Frame)
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
	version, err := body.Agree()
	if err != nil {
		m.send(wire.Refuse, wire.RefuseBody{Reason: err.Error()})
		return fmt.Errorf("%w: %w", wire.ErrVersion, err)
	}
	m.hello = &body
	l.lines.Greeted(&m.Member, m.pid())
	m.reader.AllowBypass(true)
	m.send(wire.Welcome, wire.WelcomeBody{
		Version: version,
		Grace:   m.gen.Config.grace(), IdleGrace: m.gen.Config.idleGrace(), HoldOff: l.holdOff(m),
		MaxRequests: child.Spread(int64(m.gen.Config.MaxRequests), m.ID),
	})
	m.send(wire.Tickets, wire.TicketsBody{Keys: l.tickets.All()})
	m.publish()
	m.held.Online(m.signal)
	l.m.events.Emit(m.worker.source, func(e *Events) { call(e.Online, m.worker) })
	return nil
}

// sendTickets sends the workers new keys.
func (l *loop) sendTickets(keys []tickets.Key) {
	for _, m := range l.members.All() {
		if m.linkOpen && m.hello != nil {
			m.send(wire.Tickets, wire.TicketsBody{Keys: keys})
		}
	}
}
