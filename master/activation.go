package master

import (
	"context"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/rota-go/rota/internal/bind"
)

// givenSockets are those that this process was started with: systemd, or another
// supervisor that speaks its LISTEN_FDS, has bound them. They are never closed, and
// their files never unlinked: the table holds duplicates.
type givenSockets []givenSocket

type givenSocket struct {
	file   *os.File // kept, so that no finalizer closes the descriptor; nil: from an old master
	n      int
	first  int    // its number in the first master; n where that is this one
	name   string // of LISTEN_FDNAMES, or LISTEN_FD_<n>
	packet bool
	addr   net.Addr
}

// given are those of the environment, or in a master that follows another, those of the
// first.
func given() givenSockets { return append(slices.Clip(environs()), adopted.list()...) }

// environs reads the environment, once. It leaves it as it is: a program may want to
// know too, and workers don't get to see it (control.Environ).
var environs = sync.OnceValue(takeGiven)

func takeGiven() (all givenSockets) {
	for _, f := range activation.Files(false) {
		if g, err := inspect(f); err == nil { // a FIFO or a file is no socket, and nobody's error
			all = append(all, g)
		}
	}
	return all
}

func inspect(f *os.File) (g givenSocket, err error) {
	g = givenSocket{file: f, name: f.Name()}
	if g.n, err = numberOf(f); err != nil {
		return g, err
	}
	g.first = g.n
	fd, err := bind.Options{}.Descriptor(g.n, false)
	if err != nil {
		g.packet = true
		if fd, err = (bind.Options{}).Descriptor(g.n, true); err != nil {
			return g, err
		}
	}
	defer fd.Close()
	g.addr, err = addrOf(fd, g.packet)
	return g, err
}

// numberOf is f's descriptor, without what f.Fd() may do to it.
func numberOf(f *os.File) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(fd uintptr) { n = int(fd) })
	return n, err
}

// number finds the descriptor that fd's or fdgram's address means: a number, or a
// name. The n-th request of a worker for a name gets the n-th socket of it: systemd
// gives all sockets of a unit the unit's name.
func (all givenSockets) number(r request) (int, error) {
	if n, err := strconv.Atoi(r.Address); err == nil && n >= 0 {
		return all.local(r.Address)
	}
	index, known := r.index, false
	for _, g := range all {
		if g.name != r.Address {
			continue
		}
		known = true
		if g.packet != r.Packet {
			continue
		}
		if index == 0 {
			return g.n, nil
		}
		index--
	}
	switch {
	case !known:
		return bind.Number(r.Address) // an error that says so
	case r.index > 0:
		return 0, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	return 0, &bind.DescriptorError{What: "no socket of this name is of this kind", Errno: syscall.EINVAL}
}

// find returns the given socket that a request means: the one with the address that
// net.Listen would bind.
func (all givenSockets) find(ctx context.Context, r request) (b bound, ok bool, err error) {
	if len(all) == 0 {
		return b, false, nil
	}
	want := resolve(ctx, r)
	for _, g := range all {
		if want == nil || g.packet != r.Packet || !serves(r.Network, g.addr, want) {
			continue
		}
		fd, err := r.Options.Descriptor(g.n, g.packet)
		return bound{fd: fd, addr: g.addr}, true, err
	}
	return b, false, nil
}

// resolve is the address that net.Listen would bind; nil where it would bind none,
// and for port 0, which nobody can have bound.
func resolve(ctx context.Context, r request) net.Addr {
	if bind.IsPath(r.Network, r.Address) {
		return &net.UnixAddr{Name: pathOf(r.Request), Net: r.Network}
	}
	if strings.HasPrefix(r.Network, "unix") {
		return &net.UnixAddr{Name: r.Address, Net: r.Network} // an abstract one
	}
	host, port, err := net.SplitHostPort(r.Address)
	if err != nil {
		return nil
	}
	n, err := net.DefaultResolver.LookupPort(ctx, r.Network, port)
	if err != nil || n == 0 {
		return nil
	}
	ip, err := net.ResolveIPAddr("ip"+strings.TrimLeft(r.Network, "tcpud"), host)
	if err != nil {
		return nil
	}
	return &net.TCPAddr{IP: ip.IP, Port: n, Zone: ip.Zone}
}

// serves reports whether a socket at has is what a request for want means.
func serves(network string, has, want net.Addr) bool {
	if w, ok := want.(*net.UnixAddr); ok {
		h, ok := has.(*net.UnixAddr)
		return ok && h.Net == network && h.Name == w.Name
	}
	w := want.(*net.TCPAddr)
	switch h := has.(type) {
	case *net.TCPAddr:
		return strings.HasPrefix(network, "tcp") && h.Port == w.Port && h.Zone == w.Zone && sameIP(network, h.IP, w.IP)
	case *net.UDPAddr:
		return strings.HasPrefix(network, "udp") && h.Port == w.Port && h.Zone == w.Zone && sameIP(network, h.IP, w.IP)
	}
	return false
}

// sameIP takes any wildcard for "every address" where the network doesn't ask for
// a family: another socket couldn't be bound beside it.
func sameIP(network string, has, want net.IP) bool {
	family := network[len(network)-1]
	if family == '4' && has.To4() == nil || family == '6' && has.To4() != nil {
		return false
	}
	if want == nil || want.IsUnspecified() {
		return has.IsUnspecified()
	}
	return has.Equal(want)
}
