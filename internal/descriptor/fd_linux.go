//go:build linux

package descriptor

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

func closeFD(n int) error { return unix.Close(n) }

func dupFD(n int) (int, error) { return unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0) }

// UnixConn turns f into a conn in the poller. It takes f.
func (f *FD) UnixConn() (*net.UnixConn, error) {
	n := f.Take()
	if n < 0 {
		return nil, os.ErrClosed
	}
	file := os.NewFile(uintptr(n), "link")
	defer file.Close()
	c, err := net.FileConn(file) // a duplicate, close-on-exec
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%T is no unix socket", c)
	}
	return u, nil
}

// SetNonblock makes sure that f doesn't block: the flag belongs to the open
// file, which every process that has the socket shares.
func (f *FD) SetNonblock() error { return SetNonblock(f.Int()) }

// SetNonblock is FD.SetNonblock for descriptor n.
func SetNonblock(n int) error { return unix.SetNonblock(n, true) }

// Listener makes a net.Listener of f, which stays the caller's.
func (f *FD) Listener() (net.Listener, error) {
	file, err := f.file()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileListener(file)
}

// PacketConn makes a net.PacketConn of f, which stays the caller's.
func (f *FD) PacketConn() (net.PacketConn, error) {
	file, err := f.file()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FilePacketConn(file)
}

func (f *FD) file() (*os.File, error) {
	d, err := f.Dup()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(d.Take()), "socket"), nil
}
