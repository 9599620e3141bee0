//go:build linux

package descriptor

import (
	"os"

	"golang.org/x/sys/unix"
)

// blankFile returns a file that is blocking, so that no poller watches an os.File of it. It is not a
// socket: all of these are O_NONBLOCK, whoever looks at them.
func blankFile() (*FD, error) {
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return New(n), nil
}

// replace makes place a duplicate of n.
func replace(place, n int) error {
	return os.NewSyscallError("dup3", unix.Dup3(n, place, unix.O_CLOEXEC))
}
