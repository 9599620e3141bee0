package workerproc

import (
	"context"
	"errors"
	"net"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/packetconn"
	"github.com/rota-go/rota/internal/wire"
)

// ListenPacket returns a packet conn on a socket of the master, or of this worker's own;
// see rota.ListenPacket.
func (w *Worker) ListenPacket(ctx context.Context, r bind.Request) (net.PacketConn, error) {
	if r.Exclusive {
		return w.listenPacketOwn(ctx, r)
	}
	s, err := w.socket(ctx, r)
	if err != nil {
		return nil, err
	}
	defer s.fd.Close() // the conn has its own
	inner, err := s.fd.PacketConn()
	if err != nil {
		return nil, w.giveBack(s.ID, r, err)
	}
	if err := r.AfterBind(r.Network, r.Address, inner); err != nil {
		_ = inner.Close()
		return nil, w.giveBack(s.ID, r, err)
	}
	return w.trackPacket(inner, r, packetOwner{Worker: w, id: s.ID})
}

// listenPacketOwn opens a socket that the master doesn't know.
func (w *Worker) listenPacketOwn(ctx context.Context, r bind.Request) (net.PacketConn, error) {
	inner, err := r.Options.ListenPacket(ctx, r.Network, r.Address)
	if err != nil {
		return nil, err
	}
	return w.trackPacket(inner, r, packetOwner{Worker: w, own: r.Network + " " + r.Address})
}

// trackPacket makes inner part of the worker's drain. It closes inner if the drain has begun.
func (w *Worker) trackPacket(inner net.PacketConn, r bind.Request, o packetOwner) (net.PacketConn, error) {
	conn, s := packetconn.New(inner, o, o.id > 0)
	if conn == nil {
		_ = inner.Close()
		return nil, w.cannotListen(r, errors.ErrUnsupported)
	}
	if !w.drain.addSource(packetSource{s}) {
		_ = inner.Close()
		return nil, w.cannotListen(r, nil)
	}
	return conn, nil
}

// packetOwner is the worker as a packetconn.Owner.
type packetOwner struct {
	*Worker
	id  int    // the socket's id in the master; 0: the master doesn't know it
	own string // names a socket that the master doesn't know
}

func (o packetOwner) Accepting(closed <-chan struct{}) { o.sendAccepting(o.id, o.own, closed) }
func (o packetOwner) Left() <-chan struct{}            { return o.drain.left }

func (o packetOwner) Closed(s packetconn.Source) (draining bool) {
	o.drain.removeSource(packetSource{s})
	if o.drain.draining.Load() {
		return true
	}
	if o.id > 0 {
		_ = o.send(wire.Closed, wire.ClosedBody{ID: o.id})
	}
	return false
}

// packetSource is a packet conn as a source of the drain.
type packetSource struct{ packetconn.Source }

func (s packetSource) closeSource() { s.CloseSource() }
func (s packetSource) busy() bool   { return s.Busy() }
