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

// openDirectory opens a directory. It needs no permission to read it.
func openDirectory(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_PATH|unix.O_DIRECTORY, 0)
}
