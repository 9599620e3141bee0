//go:build linux

package control

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

func (f *FD) conn() (net.Conn, error) {
	if on, err := f.listens(); err != nil || on {
		return nil, orElse(err, "it listens")
	}
	file, err := f.file()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileConn(file)
}

func (f *FD) listenerOnly() (net.Listener, error) {
	if on, err := f.listens(); err != nil || !on {
		return nil, orElse(err, "it doesn't listen")
	}
	return f.Listener()
}

func (f *FD) osFile(name string) (*os.File, error) {
	d, err := f.Dup()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(d.Take()), name), nil
}

func (f *FD) listens() (bool, error) {
	on, err := unix.GetsockoptInt(f.Int(), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return on != 0, os.NewSyscallError("getsockopt", err)
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
