package bind

import (
	"context"
	"io"
	"net"
	"runtime"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
)

// The values of Options.Spread, which is a master.Spread there, and documented.
const (
	Auto   = 0 // the master chooses: Shared
	Shared = 1 // one queue, from which all workers accept
	Slots  = 2 // a queue for each slot
)

// CanSpread says whether there can be a queue for each slot here.
const CanSpread = runtime.GOOS == "linux"

// OpenBeside opens n more sockets for the address of an open one, first, each with a queue of
// its own: from then on the kernel chooses one of the sockets for each new connection, or for
// the datagrams of a client, by a hash of the addresses. address is that of first, with its port.
// The caller closes the results, also if there is an error.
//
// The kernel lets a socket join only if all have SO_REUSEPORT and one user. first is bound
// without it, so that Listen fails as it always does if another program has the address.
// The others are never MPTCP sockets: the kernel can't choose among these by a program.
func (o Options) OpenBeside(ctx context.Context, first *descriptor.FD, packet bool, network, address string, n int) (all []*descriptor.FD, err error) {
	if n < 1 {
		return nil, nil
	}
	if err := setReusePort(first.Int()); err != nil {
		return nil, err
	}
	open := o.listenBeside
	if packet {
		open = listenPacketBeside
	}
	for range n {
		s, err := open(ctx, network, address)
		if err != nil {
			return all, err
		}
		fd, err := descriptor.DupOf(s)
		_ = s.Close() // fd is the socket
		if err != nil {
			return all, err
		}
		all = append(all, fd)
	}
	return all, nil
}

func (o Options) listenBeside(ctx context.Context, network, address string) (io.Closer, error) {
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

func listenPacketBeside(ctx context.Context, network, address string) (io.Closer, error) {
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
