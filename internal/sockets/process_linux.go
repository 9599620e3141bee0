//go:build linux

package sockets

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// cookies returns the sockets that this process has open, by descriptor, each with the
// kernel's cookie of it, which no other socket ever gets.
func cookies() map[int]uint64 {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil // then only those with a name are known
	}
	all := map[int]uint64{}
	for _, f := range open {
		n, _ := strconv.Atoi(f.Name())
		if c := cookie(n); c != 0 {
			all[n] = c
		}
	}
	return all
}

// cookie returns the cookie of socket n, or 0 if it is none.
func cookie(n int) uint64 {
	c, err := unix.GetsockoptUint64(n, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0
	}
	return c
}

// limit returns how many sockets may be open: half of the descriptors that this process may
// have, so that it can always start workers and send them their sockets.
func limit() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(r.Cur/2, maxOpen))
}
