//go:build linux

package descriptor

import (
	"math"
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
		if listens, err := Listens(n); err == nil && listens {
			unix.CloseOnExec(n)
		}
	}
}

func closeAllOnExec() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	for _, n := range openDescriptors() { // before Linux 5.11
		unix.CloseOnExec(n)
	}
}
