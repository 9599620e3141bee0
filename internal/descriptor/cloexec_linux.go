//go:build linux

package descriptor

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func closeOnExec(n int) { unix.CloseOnExec(n) }

func openDescriptors() (all []int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 2 {
			all = append(all, n)
		}
	}
	return all
}

func closeListenersOnExec() {
	for _, n := range openDescriptors() { // without /proc they stay as they are
		if listens, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listens != 0 {
			unix.CloseOnExec(n)
		}
	}
}
