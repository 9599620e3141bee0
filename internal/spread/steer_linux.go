//go:build linux

package spread

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	ancillary    = 0xfffff000 // SKF_AD_OFF: what follows is no byte of the packet
	receivedHash = 32         // SKF_AD_RXHASH: the hash of the connection's addresses
)

func steer(fd, n int) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: ancillary + receivedHash},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(n)},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	return os.NewSyscallError("setsockopt", err)
}
