//go:build linux

package descriptor

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

func listens(n int) (bool, error) {
	on, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return on != 0, err
}

func cookie(n int) (uint64, error) {
	return unix.GetsockoptUint64(n, unix.SOL_SOCKET, unix.SO_COOKIE)
}

func fromRights(oob []byte) (fds []*FD, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		numbers, rerr := unix.ParseUnixRights(&messages[i])
		if rerr != nil {
			err = rerr
		}
		for _, n := range numbers {
			fds = append(fds, New(n))
		}
	}
	return fds, err
}

// AcceptQueue returns how many connections wait in the queue of a TCP socket that listens, and
// how many may. Both are 0 for other sockets. It doesn't block.
func (f *FD) AcceptQueue() (waiting, limit int) {
	info, err := unix.GetsockoptTCPInfo(f.Int(), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, 0
	}
	return int(info.Unacked), int(info.Sacked) // of a socket that listens; see tcp_get_info in the kernel
}

// isShutForReading is IsShutForReading: true of a unix socket to which nobody can connect, or send, any more, and
// of a UDP socket that never blocks a reader.
func isShutForReading(n int) bool {
	p := []unix.PollFd{{Fd: int32(n), Events: unix.POLLRDHUP}}
	_, err := unix.Poll(p, 0)
	return err == nil && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0
}

// isShutForWriting is IsShutForWriting. It sends a datagram from memory that can't be read. The kernel checks first
// whether the socket was shut down, which nothing else that a process may ask it says; then it
// fails with EFAULT, and nothing is sent.
func isShutForWriting(n int) bool {
	is, err := unix.Getsockname(n)
	if err != nil {
		return false
	}
	none, err := unix.Mmap(-1, 0, 1, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return false
	}
	defer unix.Munmap(none)
	return slices.ContainsFunc(reachable(is), func(to unix.Sockaddr) bool {
		return errors.Is(unix.Sendto(n, none, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, to), unix.EPIPE)
	})
}

// reachable returns where a socket at a can send to, if one of a family can at all: of a
// wildcard, the same port of this machine.
func reachable(a unix.Sockaddr) []unix.Sockaddr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		if a.Addr == [4]byte{} {
			return []unix.Sockaddr{&unix.SockaddrInet4{Port: a.Port, Addr: [4]byte{127, 0, 0, 1}}}
		}
	case *unix.SockaddrInet6:
		if a.Addr == [16]byte{} {
			return []unix.Sockaddr{
				&unix.SockaddrInet6{Port: a.Port, Addr: [16]byte{15: 1}},
				&unix.SockaddrInet6{Port: a.Port, Addr: [16]byte{10: 255, 255, 127, 0, 0, 1}},
			}
		}
	}
	return []unix.Sockaddr{a}
}
