//go:build linux

package bind

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// IsShut reports whether a holder of listening socket n has called shutdown(2) on it.
// A TCP socket doesn't listen any more then; a unix socket does, and refuses everybody.
func IsShut(n int) bool {
	listens, err := descriptor.Listens(n)
	if err != nil || !listens {
		return err == nil
	}
	return IsShutForReading(n)
}

// IsShutForReading reports whether a holder of unix socket n has called shutdown(2) on it:
// nobody can connect, or send, to it any more. That n was shut down for writing alone, as a
// socket for datagrams may be, can't be told.
func IsShutForReading(n int) bool {
	p := []unix.PollFd{{Fd: int32(n), Events: unix.POLLRDHUP}}
	_, err := unix.Poll(p, 0)
	return err == nil && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0
}

// revive binds n again, which has lost its port if that is one that the kernel had chosen.
// EINVAL means that n still has it, or that another holder has just bound it. Without a
// port, listen(2) would choose another one.
func revive(n int, addr *net.TCPAddr, backlog int) error {
	is, err := unix.Getsockname(n)
	if err != nil {
		return err
	}
	if err := unix.Bind(n, like(is, addr)); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
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
