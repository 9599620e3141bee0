//go:build linux

package descriptor

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

func (f *FD) conn() (net.Conn, error) {
	file, err := f.file()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileConn(file)
}

// connected reports whether f is a stream socket or a datagram socket with a peer. A stream
// socket counts as connected also if the peer has closed it: reading reports that.
func (f *FD) connected() (bool, error) {
	kind, err := unix.GetsockoptInt(f.Int(), unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
		return true, os.NewSyscallError("getsockopt", err)
	}
	_, err = unix.Getpeername(f.Int())
	if err == unix.ENOTCONN {
		return false, nil
	}
	return true, os.NewSyscallError("getpeername", err)
}

// listens reports whether f listens. It fails if f is not a socket.
func (f *FD) listens() (bool, error) {
	on, err := Listens(f.Int())
	return on, os.NewSyscallError("getsockopt", err)
}
