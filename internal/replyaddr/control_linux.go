//go:build linux

package replyaddr

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// controlSpace is room for the control message of either family, 40 bytes, and for those
// that other options of the program ask for.
const controlSpace = 128

// enable has the kernel tell the destination of each datagram. The option is the socket's:
// every process that has it sets it alike.
func enable(c *net.UDPConn, v6 bool) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, 1) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", failed)
}

// parse finds the destination in the control messages of a datagram. It returns false if
// an answer can't come from there: a multicast address, say.
func parse(control []byte) (destination, bool) {
	for len(control) >= unix.CmsgSpace(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return parse4(data).checked()
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			addr, _ := netip.AddrFromSlice(data[:16])
			return destination{addr, binary.NativeEndian.Uint32(data[16:])}.checked()
		}
		control = rest
	}
	return destination{}, false
}

// parse4 reads a struct in_pktinfo: the interface, the local address that fits the
// datagram, which is another than the destination for a broadcast, and the destination. The
// second is zero for a datagram that was in the queue before enable.
func parse4(data []byte) destination {
	d := destination{ifindex: binary.NativeEndian.Uint32(data)}
	d.addr, _ = netip.AddrFromSlice(data[4:8])
	if d.addr.IsUnspecified() {
		d.addr, _ = netip.AddrFromSlice(data[8:12])
	}
	return d
}

func (d destination) checked() (destination, bool) {
	a := d.addr.Unmap()
	return d, !a.IsUnspecified() && !a.IsMulticast()
}

// control returns the control message that makes d the source of a datagram. The interface
// is left to the routes, unless the address means nothing without it.
func (d destination) control(v6 bool) []byte {
	if !v6 {
		var info unix.Inet4Pktinfo
		info.Spec_dst = d.addr.As4()
		return unix.PktInfo4(&info)
	}
	info := unix.Inet6Pktinfo{Addr: d.addr.As16()}
	if d.addr.IsLinkLocalUnicast() {
		info.Ifindex = d.ifindex
	}
	return unix.PktInfo6(&info)
}

// refused reports whether the kernel refuses the source of a datagram, or finds no route
// from there to where it goes.
func refused(err error) bool {
	for _, errno := range []syscall.Errno{unix.EINVAL, unix.EADDRNOTAVAIL, unix.ENETUNREACH, unix.EHOSTUNREACH} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
