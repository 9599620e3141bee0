package master

import (
	"context"
	"net"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/wire"
)

// bound is a socket as bind made it. fd is the owner's to close.
type bound struct {
	fd   *control.FD
	addr net.Addr
}

// bind opens a socket exactly as net.Listen does, and then takes it out of the
// poller: a master in whose poller it stayed would wake up for every connection
// that its workers accept.
func bind(ctx context.Context, ask wire.ListenBody) (bound, error) {
	var lc net.ListenConfig
	if ask.Packet {
		c, err := lc.ListenPacket(ctx, ask.Network, ask.Address)
		if err != nil {
			return bound{}, err
		}
		defer c.Close()
		return detach(c, c.LocalAddr())
	}
	ln, err := lc.Listen(ctx, ask.Network, ask.Address)
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
	fd, err := control.DupOf(s)
	if err != nil {
		return bound{}, &net.OpError{Op: "listen", Net: addr.Network(), Addr: addr, Err: err}
	}
	return bound{fd, addr}, nil
}
