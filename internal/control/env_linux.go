//go:build linux

package control

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inherit makes a link of descriptor n, after a look at what it is: the number
// came from outside, and may by now be anything.
func inherit(n int) (*Link, error) {
	domain, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	kind, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	if domain != unix.AF_UNIX || kind != unix.SOCK_STREAM {
		return nil, fmt.Errorf("a socket of domain %d and type %d", domain, kind)
	}
	unix.CloseOnExec(n)
	fd := NewFD(n)
	if err := fd.SetNonblock(); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return NewLink(fd)
}
