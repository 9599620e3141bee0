//go:build linux

package descriptor

import "golang.org/x/sys/unix"

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
