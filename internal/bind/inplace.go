package bind

import (
	"context"
	"net"
	"strings"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
)

// ListenPacketInPlace is ListenPacket at the address of socket shut, which a holder has shut
// down and other processes have still. Of two UDP sockets at one address, the kernel gives
// datagrams to the one that was bound last, and allows two if both have SO_REUSEADDR. They have
// it while the new one is bound, and not afterwards. With shut nil it is ListenPacket.
func (o Options) ListenPacketInPlace(ctx context.Context, network, address string, shut *descriptor.FD) (net.PacketConn, error) {
	if shut == nil || !strings.HasPrefix(network, "udp") {
		return o.ListenPacket(ctx, network, address)
	}
	before, err := setReuse(shut.Int(), 1)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	defer func() { _, _ = setReuse(shut.Int(), before) }()
	o.Control = func(_, _ string, raw syscall.RawConn) error { return setReuseOf(raw, 1) }
	pc, err := o.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if raw, err := pc.(syscall.Conn).SyscallConn(); err == nil {
		_ = setReuseOf(raw, before) // fails for no UDP socket
	}
	return pc, nil
}

func setReuseOf(raw syscall.RawConn, value int) (err error) {
	if cerr := raw.Control(func(fd uintptr) { _, err = setReuse(int(fd), value) }); cerr != nil {
		return cerr
	}
	return err
}
