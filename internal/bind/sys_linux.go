//go:build linux

package bind

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

const datagrams = unix.SOCK_DGRAM

// longest is a queue that the kernel cuts to net.core.somaxconn.
const longest = 1<<16 - 1

func fchmod(fd int, mode uint32) error { return unix.Fchmod(fd, mode) }

func listen(fd, length int) error { return unix.Listen(fd, length) }

// kindOf is the type of a socket. The errno is what is wrong with n.
func kindOf(n int) (int, error) { return unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_TYPE) }

// listenOn makes sure that n listens, with the queue that was asked for.
func (o Options) listenOn(n int) error {
	listens, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return err
	}
	if listens == 1 && o.Backlog == 0 {
		return nil
	}
	length := o.Backlog
	if length == 0 {
		length = longest
	}
	err = listen(n, length)
	if errors.Is(err, unix.EINVAL) {
		return &DescriptorError{"it is connected, or can't listen", syscall.EINVAL}
	}
	return err
}

// connected reports whether a datagram socket speaks to one peer only.
func connected(n int) bool { _, err := unix.Getpeername(n); return err == nil }

// keepAliveOf reads what a socket has of the system, in seconds and probes; -1 where it
// can't be had.
func keepAliveOf(n int) (idle, interval, count int) {
	var v [3]int
	for i, option := range []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT} {
		var err error
		if v[i], err = unix.GetsockoptInt(n, unix.IPPROTO_TCP, option); err != nil {
			v[i] = -1
		}
	}
	return v[0], v[1], v[2]
}
