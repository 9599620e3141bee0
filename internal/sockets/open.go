package sockets

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/socketfile"
)

// Opened is an open socket. Its owner closes it with Close, or passes it to Table.Bound.
type Opened struct {
	FD   *descriptor.FD
	Addr net.Addr
	file *socketfile.File // to unlink before FD is closed; nil if there is none, or it isn't ours
	own  bool             // nobody outside the rota has it

	beside []*descriptor.FD // sockets of the same address
}

// Close unlinks the socket's file and closes the socket.
func (o Opened) Close() {
	if o.file != nil {
		o.file.Unlink()
	}
	_ = o.FD.Close() // nobody has written to it
	descriptor.CloseAll(o.beside)
}

// Open opens the socket that r asks for: an inherited one, or a new one, opened as
// net.Listen does it. It may block until ctx ends.
func Open(ctx context.Context, r Request) (Opened, error) {
	switch {
	case r.Network == "fd" || r.Network == "fdgram":
		return openDescriptor(r)
	case !r.Duplicate:
		if o, ok, err := r.inherited.find(ctx, r); ok {
			return o, err
		}
	}
	if bind.IsPath(r.Network, r.Address) {
		return openPath(ctx, r)
	}
	o, err := openNew(ctx, r, r.Address)
	if err == nil && r.Queues > 0 {
		err = o.openBeside(ctx, r)
	}
	return o, err
}

// openPath opens a unix socket in the file system, and replaces a stale file.
func openPath(ctx context.Context, r Request) (o Opened, err error) {
	file, err := socketfile.Bind(ctx, r.Request, r.User, !r.Duplicate, func(name string) (io.Closer, error) {
		o, err = openNew(ctx, r, name)
		return o.FD, err
	})
	if err != nil {
		return Opened{}, err
	}
	o.file = file
	return o, nil
}

// openNew opens a socket and takes it out of the poller, which would wake the master for
// every connection that its workers accept.
func openNew(ctx context.Context, r Request, address string) (Opened, error) {
	cfg := r.Options
	if r.Packet {
		c, err := cfg.ListenPacketInPlace(ctx, r.Network, address, r.shut)
		if err != nil {
			return Opened{}, err
		}
		defer c.Close()
		return detach(c, c.LocalAddr())
	}
	ln, err := cfg.Listen(ctx, r.Network, address)
	if err != nil {
		return Opened{}, err
	}
	defer ln.Close()
	keepFile(ln)
	return detach(ln, ln.Addr())
}

// keepFile keeps the file of a unix socket when ln is closed.
func keepFile(ln net.Listener) {
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
}

// detach duplicates the descriptor of s, which the caller closes.
func detach(s any, addr net.Addr) (Opened, error) {
	fd, err := descriptor.DupOf(s)
	if err != nil {
		return Opened{}, &net.OpError{Op: "listen", Net: addr.Network(), Addr: addr, Err: err}
	}
	return Opened{FD: fd, Addr: addr, own: true}, nil
}

// openDescriptor duplicates a descriptor of this process: one with a number, or one with
// a name that the supervisor gave it. The descriptor itself stays open.
func openDescriptor(r Request) (Opened, error) {
	if r.Packet != (r.Network == "fdgram") {
		return Opened{}, net.UnknownNetworkError(r.Network)
	}
	n, err := r.inherited.number(r)
	if err != nil {
		return Opened{}, err
	}
	fd, err := r.inherited.options(r, n).Descriptor(n, r.Packet)
	if err != nil {
		return Opened{}, err
	}
	addr, err := addrOf(fd, r.Packet)
	if err != nil {
		_ = fd.Close()
		return Opened{}, err
	}
	return Opened{FD: fd, Addr: addr}, nil
}

// addrOf returns the address of fd, which stays the caller's.
func addrOf(fd *descriptor.FD, packet bool) (net.Addr, error) {
	if packet {
		c, err := fd.PacketConn()
		if err != nil {
			return nil, errors.Unwrap(err)
		}
		defer c.Close()
		return c.LocalAddr(), nil
	}
	ln, err := fd.Listener()
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer ln.Close()
	keepFile(ln)
	return ln.Addr(), nil
}
