package bind

import (
	"context"
	"net"
	"runtime"
	"syscall"
)

// The values of Options.Spread, which is a master.Spread there, and documented.
const (
	Auto   = 0 // the master chooses: Shared
	Shared = 1 // one queue, from which all workers accept
	Slots  = 2 // a queue for each slot
)

// CanSpread says whether there can be a queue for each slot here.
const CanSpread = runtime.GOOS == "linux"

// ListenBeside opens one more socket for the address of an open one, first, with a queue of
// its own: from then on the kernel chooses one of the sockets for each new connection, by a
// hash of its addresses. address is that of first, with its port. The caller closes the result.
//
// The kernel lets a socket join only if all have SO_REUSEPORT and one user. first is bound
// without it, so that Listen fails as it always does if another program has the address.
// The others are never MPTCP sockets: the kernel can't choose among these by a program.
func (o Options) ListenBeside(ctx context.Context, first syscall.Conn, network, address string) (net.Listener, error) {
	if err := reusePort(first); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: beforeJoin}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := o.finish(ln, ln.Addr()); err != nil {
		_ = ln.Close() // nobody has seen it
		return nil, &net.OpError{Op: "listen", Net: network, Addr: ln.Addr(), Err: err}
	}
	return ln, nil
}

// ListenPacketBeside is ListenBeside for datagrams: those of one client come to one socket.
func (o Options) ListenPacketBeside(ctx context.Context, first syscall.Conn, network, address string) (net.PacketConn, error) {
	if err := reusePort(first); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: beforeJoin}
	return lc.ListenPacket(ctx, network, address)
}

// beforeJoin runs between socket(2) and bind(2).
func beforeJoin(_, _ string, raw syscall.RawConn) (err error) {
	if cerr := raw.Control(func(fd uintptr) { err = setReusePort(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

func reusePort(s syscall.Conn) error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	return beforeJoin("", "", raw)
}
