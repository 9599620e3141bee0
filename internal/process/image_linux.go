//go:build linux

package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// descriptorPath returns a path for exec and chdir to an open file. /proc/self is the
// child there, which has the descriptor until exec closes it. Without /proc it returns
// path.
func descriptorPath(f *os.File, path string) string {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		return path
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd())
}

// dupAbove opens f again with a descriptor that is at least lowest.
func dupAbove(f *os.File, lowest int) (*os.File, error) {
	n, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, lowest)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(n), f.Name()), nil
}

// openDirectory opens a directory. It needs no permission to read it.
func openDirectory(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY, 0)
}
