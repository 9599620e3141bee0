//go:build linux

package control

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

// listens fails where f is no socket.
func (f *FD) listens() (bool, error) {
	on, err := unix.GetsockoptInt(f.Int(), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return on != 0, os.NewSyscallError("getsockopt", err)
}
