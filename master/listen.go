package master

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/readiness"
	"github.com/rota-go/rota/internal/served"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/userfunc"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// socketServer returns the server of the workers' sockets.
func (l *loop) socketServer(processors int) *sockets.Server {
	table := sockets.New(processors)
	table.Files = l.files
	return &sockets.Server{
		Table: table, Owner: socketOwner{l}, Open: l.sys.open,
		Loop: sockets.Loop{Work: l.work, After: l.after}, Freed: func() { l.garbage.ReleaseSoon() },
	}
}

// listen handles a worker's request for a socket. Only a worker that serves gets one.
func (l *loop) listen(m *member, p link.Packet) error {
	var r bind.Request
	if err := p.Decode(&r); err != nil {
		return err
	}
	l.lines.Asks(&m.Member, m.pid(), r.Network, r.Address)
	c := sockets.Caller{Holder: m.ID, Call: p.Call}
	if !m.serving() {
		l.sockets.Refuse(c, r, os.ErrClosed)
		return nil
	}
	r.Spread = cmp.Or(r.Spread, int(m.gen.Config.Spread))
	l.sockets.Place(m.ID, m.Slot)
	l.sockets.Ask(l.ctx, c, r, l.terms(m))
	return nil
}

// terms returns what the requests of a worker are subject to.
func (l *loop) terms(m *member) sockets.Terms {
	cfg := &m.gen.Config
	t := sockets.Terms{Generation: m.gen.Number, Named: cfg.Sockets, User: bind.NewUser(m.gen.Image.Owner())}
	if cfg.Allow != nil {
		t.Allow = func(r bind.Request) error {
			sr := SocketRequest{Network: r.Network, Address: r.Address, Packet: r.Packet, Backlog: r.Backlog, Mode: r.Mode}
			return neterr.Permission(userfunc.Call("Config.Allow", l.log, func() error { return cfg.Allow(m.worker, sr) }))
		}
	}
	return t
}

// socketOwner is the loop as a sockets.Owner: it sends the answers to the workers.
type socketOwner struct{ l *loop }

func (o socketOwner) Connected(worker int) bool {
	m := o.l.members.Get(worker)
	return m != nil && m.linkOpen
}

func (o socketOwner) Send(c sockets.Caller, s *sockets.Socket, fd *descriptor.FD) {
	m := o.l.members.Get(c.Holder)
	_ = m.process.Link.Send(wire.Frame{Type: wire.Socket, Call: c.Call, Body: wire.Body(wire.SocketBody{ID: s.ID, Cookie: s.Cookie, InTurn: s.InTurn})}, fd)
	m.listening = true
	m.publish()
	name, _ := o.l.sockets.Name(s.ID)
	o.l.lines.Given(&m.Member, m.pid(), name)
	o.l.readinessOf(m).Ask(&m.Member, name)
	addr := Address{Network: s.Key.Network}
	addr.Address, addr.Port = bind.SplitAddr(s.Addr)
	o.l.m.events.Emit(m.worker.source, func(e *Events) {
		if e.Listening != nil {
			e.Listening(m.worker, addr)
		}
	})
}

func (o socketOwner) Refuse(c sockets.Caller, err error) {
	if m := o.l.members.Get(c.Holder); o.Connected(c.Holder) {
		o.l.lines.Refused(&m.Member, m.pid(), err)
		m.process.Send(wire.Failed, c.Call, neterr.Encode(err))
	}
}

func (o socketOwner) CanHelp(worker int, own bool) bool {
	m := o.l.members.Get(worker)
	return m != nil && m.serving() && m.hello != nil && (own && m.hello.Turns || !own && m.hello.Helps) &&
		(!m.pooled || !m.Ready.IsZero() && time.Since(m.Ready) >= o.l.holdOff(m))
}

func (o socketOwner) Count() bool                             { return o.l.balancer.Count() }
func (o socketOwner) Connections(worker int) (int, int, bool) { return o.l.counts.Connections(worker) }

func (o socketOwner) StandBy(worker, id int, d time.Duration) {
	if o.Connected(worker) {
		o.l.members.Get(worker).process.Send(wire.StandBy, 0, wire.StandByBody{ID: id, For: d})
	}
}

func (o socketOwner) Help(worker, id int, queue ...*descriptor.FD) {
	_ = o.l.members.Get(worker).process.Link.Send(wire.Frame{Type: wire.Help, Body: wire.Body(wire.HelpBody{ID: id})}, queue...)
}

func (o socketOwner) Denied(c sockets.Caller, name string) {
	o.l.log.Warn("rota: socket refused, the program didn't ask for it at its start", "worker", c.Holder, "pid", o.l.members.Get(c.Holder).pid(), "socket", name)
}

// closed handles the frame that a worker sends when its program has closed a socket.
// What a draining worker closes stays open: another worker still serves it, or will.
func (l *loop) closed(m *member, id int) {
	if !m.serving() {
		return
	}
	name, _ := l.sockets.Name(id)
	l.readinessOf(m).Closed(&m.Member, name, time.Now())
	l.sockets.Closed(m.ID, id)
}

// closeUnused closes the sockets that no serving worker has asked for, after a reload or
// an upgrade.
func (l *loop) closeUnused() {
	closed := l.sockets.CloseUnused(func(id int) bool {
		m := l.members.Get(id)
		return id == sockets.Master || m != nil && m.serving()
	})
	for _, s := range closed {
		l.log.Info("rota: socket closed, the new generation doesn't use it", "network", s.Key.Network, "address", s.Addr.String())
	}
}

// closeAtStop closes all sockets when the last worker of a master that stops begins to drain.
func (l *loop) closeAtStop() {
	if l.stops() && !l.any((*member).serving) {
		l.sockets.CloseAll()
	}
}

// refuseAtStop has new clients refused when the first worker of a master that stops is about
// to drain: each accepts what waits in the queue of its slot, and then closes it. Another
// master may accept instead.
func (l *loop) refuseAtStop() {
	if l.stops() && l.upgrade == nil && l.takeover == nil {
		l.sockets.RefuseClients()
	}
}

// stops reports whether all workers are to leave.
func (l *loop) stops() bool { return l.disconnects.Waiting() || l.state.Phase().Stopping() }

// accepting records that a worker takes connections from a socket.
func (l *loop) accepting(m *member, body *wire.AcceptingBody) {
	name, ok := l.sockets.AcceptsOn(m.ID, body.ID, body.Own, l.terms(m))
	if !ok {
		return
	}
	l.lines.Accepts(&m.Member, m.pid(), name)
	l.readinessOf(m).Accept(&m.Member, name, time.Now())
}

// readinessOf returns what decides when m is ready. Nobody asks that of one that isn't Run's.
func (l *loop) readinessOf(m *member) *readiness.Record {
	if !m.pooled || l.pool == nil {
		return &readiness.Record{}
	}
	return &l.pool.readiness
}

// Listen is net.Listen for a server of the master's own, such as that of package health. The
// socket goes to the new master of an upgrade, which gets it when it listens on the same network
// and address before it has taken over, as on a goroutine that a function of rota.OnMaster begins: no client is refused.
// Until Run is about to take over Listen waits, so the function itself must not, or its Accept; and then the Accept of the old
// master fails with net.ErrClosed. Workers can't get the socket, and a stop closes it last.
//
// The caller closes the listener. The error is one of net.Listen, as *net.OpError, or ctx's if it
// ends first, or ErrClosed after Close.
func (m *Master) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	r, own := bind.NewRequest(network, address, false, bind.Options{}), make(chan sockets.Own, 1)
	answer, cancel := make(chan error, 1), func() {}
	err := m.loop.Ask(func(l *loop) error {
		l.takeUpFirst()
		follows := l.takeover != nil || l.pool == nil && l.sys.masters.Follows()
		cancel = l.sockets.Own(ctx, r, follows, func(o sockets.Own) { own <- o; answer <- nil })
		return nil
	})
	if err == nil {
		err = m.loop.Wait(ctx, answer)
	}
	if err != nil {
		m.loop.Post(func(*loop) { cancel() })
		return nil, fmt.Errorf("listen: %w", err)
	}
	o := <-own
	return o.Listener, o.Err
}

func (l *loop) serving() served.Now {
	now := served.Now{State: l.state}
	if l.pool != nil {
		now.Ready, now.Slots = l.rota.Served(), l.pool.goal.Workers
	}
	return now
}

// Serving returns how many slots of Run have a worker that is ready and doesn't drain, how many
// slots there are, and what the master is doing. It waits for the loop, which never blocks. When a
// new master has taken over, it is what was so then.
func (m *Master) Serving() (ready, slots int, s reload.State) {
	now := m.last.Get(func() (now served.Now, err error) {
		err = m.loop.Ask(func(l *loop) error { now = l.serving(); return nil })
		return now, err
	})
	return now.Ready, now.Slots, now.State
}
