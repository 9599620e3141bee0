//go:build linux

package descriptor

import (
	"os"

	"golang.org/x/sys/unix"
)

// blankSocket returns a socket that is blocking, so that no poller watches an os.File of it.
func blankSocket() (*FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return New(n), nil
}

// replace makes place a duplicate of n.
func replace(place, n int) error {
	return os.NewSyscallError("dup3", unix.Dup3(n, place, unix.O_CLOEXEC))
}
