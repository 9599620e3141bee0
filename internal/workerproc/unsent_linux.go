//go:build linux

package workerproc

import (
	"net"

	"golang.org/x/sys/unix"
)

func unsent(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD) })
	return err == nil && n > 0
}
