//go:build linux

package bind

import (
	"fmt"

	"golang.org/x/sys/unix"
)

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
