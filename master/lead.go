package master

import (
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/lease"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/wire"
)

// leaseDesk returns the desk of the workers' leases. Where this process follows a master,
// nothing is granted before it has taken over.
func (l *loop) leaseDesk() *lease.Desk {
	d := &lease.Desk{Work: l.work, Send: func(worker int, f wire.Frame, files ...*descriptor.FD) {
		_ = l.members.Get(worker).process.Link.Send(f, files...) // fails if the worker ends
	}}
	if l.sys.masters.Follows() {
		d.Block()
	}
	return d
}

// Leases gives the ends of the leases to a successor: when the workers of this master have
// none any more, it may grant them.
func (u *upgrade) Leases() ([]*descriptor.FD, error) { return u.l.leases.Ends() }

// AwaitLeases waits for the workers of the old master.
func (t *takeover) AwaitLeases(end *descriptor.FD) { t.l.leases.Await(end) }

// broadcast sends a message of a worker to the others. A worker that doesn't read misses it.
func (l *loop) broadcast(from *member, p link.Packet) {
	from.worker.source.Window.Release(message.Cost(p))
	for _, m := range l.members.All() {
		if m != from && m.linkOpen && m.worker.mail.Broadcast(m.process.Link, from.ID, p.Body) {
			l.lines.Misses(&m.Member, m.pid())
		}
	}
}
