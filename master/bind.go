package master

import (
	"context"
	"errors"
	"net"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// request is what to bind.
type request struct {
	bind.Request
	index int  // of several that one address stands for: which
	again bool // the worker has it: say so in the words of the system
}

// bound is a socket as bind made it. fd is the owner's to close, and file, where
// there is one, to unlink before that.
type bound struct {
	fd   *descriptor.FD
	addr net.Addr
	file *socketFile // nil: not ours, or not in the file system
}

// close gives back what nobody has seen.
func (b bound) close() {
	if b.file != nil {
		b.file.unlink()
	}
	_ = b.fd.Close()
}

// bindSocket finds or opens the socket that a worker asks for: one that this process
// was given, or a new one, opened exactly as net.Listen does it.
func bindSocket(ctx context.Context, r request) (bound, error) {
	switch {
	case r.Network == "fd" || r.Network == "fdgram":
		return bindDescriptor(r)
	case !r.again:
		if b, ok, err := given().find(ctx, r); ok {
			return b, err
		}
	}
	if bind.IsPath(r.Network, r.Address) {
		return bindPath(ctx, r)
	}
	return bindNew(ctx, r, r.Address)
}

// bindNew opens a socket and then takes it out of the poller: a master in whose
// poller it stayed would wake up for every connection that its workers accept.
func bindNew(ctx context.Context, r request, address string) (bound, error) {
	cfg := r.Options
	if r.Packet {
		c, err := cfg.ListenPacket(ctx, r.Network, address)
		if err != nil {
			return bound{}, err
		}
		defer c.Close()
		return detach(c, c.LocalAddr())
	}
	ln, err := cfg.Listen(ctx, r.Network, address)
	if err != nil {
		return bound{}, err
	}
	defer ln.Close()
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return detach(ln, ln.Addr())
}

// detach duplicates the descriptor of s, which the caller closes.
func detach(s any, addr net.Addr) (bound, error) {
	fd, err := descriptor.DupOf(s)
	if err != nil {
		return bound{}, &net.OpError{Op: "listen", Net: addr.Network(), Addr: addr, Err: err}
	}
	return bound{fd: fd, addr: addr}, nil
}

// bindDescriptor finds a socket by the number of this process's descriptor, or by
// the name that a supervisor gave it. The descriptor itself stays open.
func bindDescriptor(r request) (bound, error) {
	if r.Packet != (r.Network == "fdgram") {
		return bound{}, net.UnknownNetworkError(r.Network)
	}
	n, err := given().number(r)
	if err != nil {
		return bound{}, err
	}
	fd, err := r.Options.Descriptor(n, r.Packet)
	if err != nil {
		return bound{}, err
	}
	addr, err := addrOf(fd, r.Packet)
	if err != nil {
		_ = fd.Close()
		return bound{}, err
	}
	return bound{fd: fd, addr: addr}, nil
}

// addrOf asks the kernel for the address of fd, which stays the caller's.
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
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return ln.Addr(), nil
}
