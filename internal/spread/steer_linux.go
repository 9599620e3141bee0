//go:build linux

package spread

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Where the kernel's programs find what is not in the data of a packet. The hash that the kernel
// has of it is of no use: many network cards don't compute one.
const (
	random  = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM
	network = 0xfff00000      // SKF_NET_OFF: the network header

	source4, source6 = network + 12, network + 20 // the address, or its last 4 bytes
	port6            = network + 40

	spreads = 0x9e3779b1 // a prime, by which neighbours differ in all bits
)

// toRandom chooses a socket for a connection. The handshake goes on there, whatever the next
// packet's choice would be.
func toRandom(to []int) []unix.SockFilter {
	return append([]unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random}}, oneOf(to)...)
}

// toHash chooses a socket by the address and the port that a datagram comes from.
func toHash(to []int) []unix.SockFilter {
	return append([]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: network},
		{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 4}, // the version
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 6, Jt: 8},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: source4},
		{Code: unix.BPF_ST, K: 0},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: network},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf},
		{Code: unix.BPF_ALU | unix.BPF_LSH | unix.BPF_K, K: 2}, // the length of the header
		{Code: unix.BPF_MISC | unix.BPF_TAX},
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: network},
		{Code: unix.BPF_JMP | unix.BPF_JA, K: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: source6},
		{Code: unix.BPF_ST, K: 0},
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: port6},
		{Code: unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM, K: 0},
		{Code: unix.BPF_ALU | unix.BPF_XOR | unix.BPF_X},
		{Code: unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K, K: spreads},
		{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 16},
	}, oneOf(to)...)
}

// oneOf returns one of some sockets by the number in A: their number is the remainder of it, if they are the first.
func oneOf(to []int) []unix.SockFilter {
	all := []unix.SockFilter{{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(len(to))}}
	for i, socket := range to {
		if i != socket {
			all = append(all,
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(i), Jf: 1},
				unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: uint32(socket)})
		}
	}
	return append(all, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_A})
}

func steer(fd int, to []int, packet bool) error {
	program := toRandom(to)
	if packet {
		program = toHash(to)
	}
	if len(to) == 0 || len(program) > unix.BPF_MAXINSNS {
		return unix.EINVAL
	}
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	return os.NewSyscallError("setsockopt", err)
}

func unsteer(fd int) error {
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // nothing was attached
	}
	return os.NewSyscallError("setsockopt", err)
}
