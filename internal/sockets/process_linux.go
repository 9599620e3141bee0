//go:build linux

package sockets

import (
	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// cookies returns the sockets that this process has open, by descriptor, each with the
// kernel's cookie of it, which no other socket ever gets.
func cookies() map[int]uint64 {
	open := descriptor.Open()
	if open == nil {
		return nil // then only those with a name are known
	}
	all := map[int]uint64{}
	for _, n := range append(open, 0, 1, 2) {
		if c := cookie(n); c != 0 {
			all[n] = c
		}
	}
	return all
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
