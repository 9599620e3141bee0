//go:build linux

package descriptor

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func closeOnExec(n int) { unix.CloseOnExec(n) }

func closeListenersOnExec() {
	entries, _ := os.ReadDir("/proc/self/fd") // without /proc they stay as they are
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil || n < 3 {
			continue
		}
		if listens, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listens != 0 {
			unix.CloseOnExec(n)
		}
	}
}
