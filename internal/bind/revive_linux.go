//go:build linux

package bind

import (
	"errors"
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// IsShut reports whether a holder of socket n, which listens at addr or is for datagrams, has taken it
// from its clients: by shutdown(2), or by connect(2) or bind(2) elsewhere. A TCP socket that was
// shut down doesn't listen any more; a unix socket does, and refuses everybody.
func IsShut(n int, packet bool, addr net.Addr) bool {
	if packet {
		return connected(n) || descriptor.IsShutForReading(n) || descriptor.IsShutForWriting(n)
	}
	if strings.HasPrefix(addr.Network(), "unix") {
		return descriptor.IsShutForReading(n) // it listens for as long as it is open
	}
	listens, err := descriptor.Listens(n) // not after a shutdown
	return err == nil && (!listens || !isAt(n, addr))
}

// EndAccepts has accept(2) fail for all holders of socket n, and the reads of workers from a socket for
// datagrams: no client will come that way any more.
func EndAccepts(n int) { _ = unix.Shutdown(n, unix.SHUT_RD) } // ENOTCONN says that of UDP, and it takes effect

// isAt reports whether n has the port of addr, if that has one: a TCP socket whose port the kernel has
// chosen loses it when it is shut down, and can be bound to another.
func isAt(n int, addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return true
	}
	switch is, _ := syscall.Getsockname(n); is := is.(type) { // that of x/sys/unix asks for the protocol, too
	case *syscall.SockaddrInet4:
		return is.Port == tcp.Port
	case *syscall.SockaddrInet6:
		return is.Port == tcp.Port
	}
	return false
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
