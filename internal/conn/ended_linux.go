//go:build linux

package conn

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// States of a TCP connection, as in TCP_INFO, in which the peer has not sent its FIN.
const (
	tcpEstablished = 1
	tcpFinWait1    = 4
	tcpFinWait2    = 5
)

// hasFin reports whether the client has closed its writing side, or the connection is over.
func hasFin(c *net.TCPConn) (has bool) {
	has = true
	control(c, func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			has = info.State != tcpEstablished && info.State != tcpFinWait1 && info.State != tcpFinWait2
		}
	})
	return has
}

// hungUp reports whether the client has closed the connection.
func hungUp(c *net.UnixConn) (up bool) {
	up = true
	control(c, func(fd int) {
		events := []unix.PollFd{{Fd: int32(fd)}}
		if _, err := unix.Poll(events, 0); err == nil {
			up = events[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
		}
	})
	return up
}

// control calls f with the descriptor of c, if c is open.
func control(c syscall.Conn, f func(fd int)) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
