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

// connected is true of every stream: what has become of its other end is for its
// reader to find out.
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

// listens fails where f is no socket.
func (f *FD) listens() (bool, error) {
	on, err := unix.GetsockoptInt(f.Int(), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return on != 0, os.NewSyscallError("getsockopt", err)
}
