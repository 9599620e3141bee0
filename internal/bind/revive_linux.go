//go:build linux

package bind

import (
	"errors"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// IsShut reports whether a holder of socket n, which listens at addr or is for datagrams, has taken it
// from its clients: by shutdown(2), or by connect(2) or bind(2) elsewhere. A TCP socket that was
// shut down doesn't listen any more; a unix socket does, and refuses everybody.
func IsShut(n int, packet bool, addr net.Addr) bool {
	if packet {
		return connected(n) || isShutForReading(n) || isShutForWriting(n)
	}
	listens, err := descriptor.Listens(n)
	if err != nil || !listens {
		return err == nil
	}
	return isShutForReading(n) || !isAt(n, addr)
}

// EndAccepts has accept(2) fail for all holders of socket n: no client will come that way any more. It
// does nothing to sockets for datagrams.
func EndAccepts(n int) {
	if listens, err := descriptor.Listens(n); err == nil && listens {
		_ = unix.Shutdown(n, unix.SHUT_RDWR) // fails for none that listens
	}
}

// isAt reports whether n has the port of addr, if that has one: a TCP socket whose port the kernel has
// chosen loses it when it is shut down, and can be bound to another.
func isAt(n int, addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return true
	}
	switch is, _ := unix.Getsockname(n); is := is.(type) {
	case *unix.SockaddrInet4:
		return is.Port == tcp.Port
	case *unix.SockaddrInet6:
		return is.Port == tcp.Port
	}
	return false
}

// isShutForReading is true of a unix socket to which nobody can connect, or send, any more, and
// of a UDP socket that never blocks a reader.
func isShutForReading(n int) bool {
	p := []unix.PollFd{{Fd: int32(n), Events: unix.POLLRDHUP}}
	_, err := unix.Poll(p, 0)
	return err == nil && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0
}

// isShutForWriting sends a datagram from memory that can't be read. The kernel checks first
// whether the socket was shut down, which nothing else that a process may ask it says; then it
// fails with EFAULT, and nothing is sent.
func isShutForWriting(n int) bool {
	is, err := unix.Getsockname(n)
	if err != nil {
		return false
	}
	none, err := unix.Mmap(-1, 0, 1, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return false
	}
	defer unix.Munmap(none)
	return slices.ContainsFunc(reachable(is), func(to unix.Sockaddr) bool {
		return errors.Is(unix.Sendto(n, none, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, to), unix.EPIPE)
	})
}

// reachable returns where a socket at a can send to, if one of a family can at all: of a
// wildcard, the same port of this machine.
func reachable(a unix.Sockaddr) []unix.Sockaddr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		if a.Addr == [4]byte{} {
			return []unix.Sockaddr{&unix.SockaddrInet4{Port: a.Port, Addr: [4]byte{127, 0, 0, 1}}}
		}
	case *unix.SockaddrInet6:
		if a.Addr == [16]byte{} {
			return []unix.Sockaddr{
				&unix.SockaddrInet6{Port: a.Port, Addr: [16]byte{15: 1}},
				&unix.SockaddrInet6{Port: a.Port, Addr: [16]byte{10: 255, 255, 127, 0, 0, 1}},
			}
		}
	}
	return []unix.Sockaddr{a}
}

// revive binds n again, which has lost its port if that is one that the kernel had chosen.
// EINVAL means that n still has it, or that another holder has just bound it, maybe to another.
// Without a port, listen(2) would choose one.
func revive(n int, addr *net.TCPAddr, backlog int) error {
	is, err := unix.Getsockname(n)
	if err != nil {
		return err
	}
	if err := unix.Bind(n, like(is, addr)); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	if !isAt(n, addr) {
		return unix.EADDRNOTAVAIL
	}
	if backlog == 0 {
		backlog = longest
	}
	return listen(n, backlog)
}

// like returns addr as an address of the family of a, with a's zone.
func like(a unix.Sockaddr, addr *net.TCPAddr) unix.Sockaddr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		a.Port = addr.Port
		copy(a.Addr[:], addr.IP.To4())
	case *unix.SockaddrInet6:
		a.Port = addr.Port
		copy(a.Addr[:], addr.IP.To16())
	}
	return a
}
