//go:build linux

package bind

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

const datagrams = unix.SOCK_DGRAM

// longest is the longest accept queue. The kernel reduces it to net.core.somaxconn.
const longest = 1<<16 - 1

func fchmod(fd int, mode uint32) error { return unix.Fchmod(fd, mode) }

func listen(fd, length int) error { return unix.Listen(fd, length) }

// kindOf returns the type of socket n; EBADF or ENOTSOCK if it is none.
func kindOf(n int) (int, error) { return unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_TYPE) }

// listenOn makes n listen, if it doesn't, or if o has a queue length to set.
func (o Options) listenOn(n int) error {
	listens, err := descriptor.Listens(n)
	if err != nil {
		return err
	}
	if listens && o.Backlog == 0 {
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

// connected reports whether a datagram socket has a peer.
func connected(n int) bool { _, err := unix.Getpeername(n); return err == nil }

// keepAliveOf returns the keep-alive settings of socket n: seconds, seconds and the number
// of probes; -1 for a setting that can't be read.
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

// chmod sets the mode of a socket's file. The path is resolved once, to a descriptor: what
// is checked is what is changed.
func chmod(path string, mode uint32) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var is unix.Stat_t
	switch err := unix.Fstat(fd, &is); {
	case err != nil:
		return err
	case is.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return unix.ENOTSOCK
	case is.Mode&0o777 == mode:
		return nil
	}
	if err = unix.Fchmodat(fd, "", mode, unix.AT_EMPTY_PATH); err == nil {
		return nil
	}
	// Before Linux 6.6, and where a sandbox refuses what it doesn't know.
	return unix.Fchmodat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), mode, 0)
}

func setReusePort(fd int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}
