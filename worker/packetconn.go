package worker

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/rota-go/rota/internal/wire"
)

// ListenPacket asks the master for a packet socket. Programs call rota.ListenPacket.
func (w *Worker) ListenPacket(ctx context.Context, s Socket) (net.PacketConn, error) {
	if s.Exclusive {
		return w.listenPacketOwn(ctx, s)
	}
	id, fd, err := w.socket(ctx, s, true)
	if err != nil {
		return nil, err
	}
	defer fd.Close() // the conn has its own
	inner, err := fd.PacketConn()
	if err != nil {
		_ = w.send(wire.Closed, wire.ClosedBody{ID: id})
		return nil, &net.OpError{Op: "listen", Net: s.Network, Err: err}
	}
	return w.takePacket(inner, s, &packet{id: id})
}

// listenPacketOwn makes a socket that the master never sees.
func (w *Worker) listenPacketOwn(ctx context.Context, s Socket) (net.PacketConn, error) {
	inner, err := s.config().ListenPacket(ctx, s.Network, s.Address)
	if err != nil {
		return nil, err
	}
	return w.takePacket(inner, s, &packet{own: s.Network + " " + s.Address})
}

// takePacket makes inner part of the worker's drain. It closes inner if the drain
// has begun.
func (w *Worker) takePacket(inner net.PacketConn, s Socket, p *packet) (net.PacketConn, error) {
	p.worker = w
	p.closed, p.changed = make(chan struct{}), make(chan struct{})
	conn := p.around(inner)
	if conn == nil {
		_ = inner.Close()
		return nil, w.cannotListen(s, errors.ErrUnsupported)
	}
	if !w.drain.addSource(p) {
		_ = inner.Close()
		return nil, w.cannotListen(s, nil)
	}
	return conn, nil
}

// The depth of the embedded fields decides, as in package conn: the methods of packet are
// found before those of the net type, and everything else is the net type's.
type (
	lowerUDP  struct{ *net.UDPConn }
	lowerUnix struct{ *net.UnixConn }
	lowerIP   struct{ *net.IPConn }

	udpPacket struct {
		*packet
		lowerUDP
	}
	unixPacket struct {
		*packet
		lowerUnix
	}
	ipPacket struct {
		*packet
		lowerIP
	}
)

// around takes over inner and returns what the program gets; nil for a type that
// package net doesn't have.
func (p *packet) around(inner net.PacketConn) net.PacketConn {
	switch inner := inner.(type) {
	case *net.UDPConn:
		p.inner = inner
		return &udpPacket{p, lowerUDP{inner}}
	case *net.UnixConn:
		p.inner = inner
		return &unixPacket{p, lowerUnix{inner}}
	case *net.IPConn:
		p.inner = inner
		return &ipPacket{p, lowerIP{inner}}
	}
	return nil
}

func (c *udpPacket) ReadFromUDP(b []byte) (n int, addr *net.UDPAddr, err error) {
	err = c.read(func() error { n, addr, err = c.UDPConn.ReadFromUDP(b); return err })
	return n, addr, err
}

func (c *udpPacket) ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error) {
	err = c.read(func() error { n, addr, err = c.UDPConn.ReadFromUDPAddrPort(b); return err })
	return n, addr, err
}

func (c *udpPacket) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.UDPConn.ReadMsgUDP(b, oob); return err })
	return n, oobn, flags, addr, err
}

func (c *udpPacket) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.UDPConn.ReadMsgUDPAddrPort(b, oob); return err })
	return n, oobn, flags, addr, err
}

func (c *unixPacket) ReadFromUnix(b []byte) (n int, addr *net.UnixAddr, err error) {
	err = c.read(func() error { n, addr, err = c.UnixConn.ReadFromUnix(b); return err })
	return n, addr, err
}

func (c *unixPacket) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.UnixConn.ReadMsgUnix(b, oob); return err })
	return n, oobn, flags, addr, err
}

// CloseRead and CloseWrite are shutdown(2), which ends a socket for everybody who
// has it: a shared one can't do that.
func (c *unixPacket) CloseRead() error {
	return c.ownOnly("shutdown", c.UnixConn.CloseRead)
}

func (c *unixPacket) CloseWrite() error {
	return c.ownOnly("shutdown", c.UnixConn.CloseWrite)
}

func (c *ipPacket) ReadFromIP(b []byte) (n int, addr *net.IPAddr, err error) {
	err = c.read(func() error { n, addr, err = c.IPConn.ReadFromIP(b); return err })
	return n, addr, err
}

func (c *ipPacket) ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.IPConn.ReadMsgIP(b, oob); return err })
	return n, oobn, flags, addr, err
}
