//go:build linux

package link

import (
	"os"

	"golang.org/x/sys/unix"
)

const atSecure = 23 // AT_SECURE in linux/auxvec.h

func isSecure() bool {
	vector, err := unix.Auxv()
	for _, entry := range vector {
		if entry[0] == atSecure {
			return entry[1] != 0
		}
	}
	return err != nil || os.Getuid() != os.Geteuid() || os.Getgid() != os.Getegid()
}

// isFromRootParent reports whether descriptor n is a socket pair that this process's parent
// has made, as root.
func isFromRootParent(n int) bool {
	if checkLink(n) != nil {
		return false
	}
	maker, err := unix.GetsockoptUcred(n, unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && maker.Uid == 0 && int(maker.Pid) == os.Getppid()
}
