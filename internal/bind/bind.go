// Package bind opens sockets as package net does, with what net's ListenConfig
// leaves out: the length of a queue, the mode of a unix socket's file, and sockets
// that this process has already, by the number of their descriptor.
//
// It is what master, worker and root have in common: a socket of a worker's own, or
// of a process without a master, is opened as the master opens those of all.
package bind

import (
	"context"
	"io/fs"
	"net"
	"syscall"
)

// Config is how to open a socket. The zero value is net.ListenConfig's.
type Config struct {
	Backlog         int         // length of the queue; 0: the system's
	Mode            fs.FileMode // permission bits of a unix socket's file; 0: as umask says
	KeepAliveConfig net.KeepAliveConfig
}

// Listen is net.ListenConfig.Listen, and takes the network "fd" too.
func (c Config) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if network == "fd" {
		return c.listenDescriptor(address)
	}
	lc := net.ListenConfig{Control: c.control, KeepAliveConfig: c.KeepAliveConfig}
	ln, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := c.finish(ln, ln.Addr()); err != nil {
		_ = ln.Close() // nobody has seen it
		return nil, &net.OpError{Op: "listen", Net: network, Addr: ln.Addr(), Err: err}
	}
	return ln, nil
}

// ListenPacket is net.ListenConfig.ListenPacket, and takes the network "fdgram" too.
func (c Config) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if network == "fdgram" {
		return packetDescriptor(address)
	}
	lc := net.ListenConfig{Control: c.control}
	pc, err := lc.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := c.widen(pc.LocalAddr()); err != nil {
		_ = pc.Close() // nobody has seen it
		return nil, &net.OpError{Op: "listen", Net: network, Addr: pc.LocalAddr(), Err: err}
	}
	return pc, nil
}

// control runs between socket(2) and bind(2): the file's mode is right, or
// narrower, from the first moment.
func (c Config) control(network, _ string, raw syscall.RawConn) error {
	if c.Mode == 0 || !isUnix(network) {
		return nil
	}
	var err error
	if cerr := raw.Control(func(fd uintptr) { err = narrow(int(fd), c.Mode) }); cerr != nil {
		return cerr
	}
	return err
}

// finish sets what needs a socket that listens.
func (c Config) finish(ln net.Listener, addr net.Addr) error {
	if c.Backlog > 0 {
		if err := queue(ln, c.Backlog); err != nil {
			return err
		}
	}
	return c.widen(addr)
}

func isUnix(network string) bool {
	return network == "unix" || network == "unixpacket" || network == "unixgram"
}

// IsPath reports whether an address of a unix network is a file's, and not
// abstract or left to the kernel.
func IsPath(network, address string) bool {
	return isUnix(network) && address != "" && address[0] != '@' && address[0] != 0
}
