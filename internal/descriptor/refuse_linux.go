//go:build linux

package descriptor

import "golang.org/x/sys/unix"

// noInterface is the index of no network interface: Linux numbers them from 1.
const noInterface = 0x7ffffff0

func refuse(n int) error {
	return unix.SetsockoptInt(n, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, noInterface)
}

func refuses(n int) bool {
	index, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX)
	return err == nil && index == noInterface
}

func waiting(n int) bool {
	fds := []unix.PollFd{{Fd: int32(n), Events: unix.POLLIN}}
	ready, err := unix.Poll(fds, 0)
	return err == nil && ready > 0 && fds[0].Revents&unix.POLLIN != 0
}
