//go:build linux

package conn

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent reports whether c has output that the kernel hasn't sent.
func unsent(c *net.TCPConn) bool { return queued(c, unix.SIOCOUTQNSD) }

// unreceived reports whether c has output that the client hasn't read.
func unreceived(c *net.UnixConn) bool { return queued(c, unix.SIOCOUTQ) }

// queued reports whether an ioctl that returns the length of a queue returns more than 0.
func queued(c syscall.Conn, request uint) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), request) })
	return err == nil && n > 0
}
