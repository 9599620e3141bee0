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
