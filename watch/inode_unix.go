//go:build unix

package watch

import (
	"os"
	"syscall"
)

// inode returns the number of a file, which another file with its name has not.
func inode(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino) // it has another type on some systems
	}
	return 0
}
