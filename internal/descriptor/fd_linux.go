//go:build linux

package descriptor

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func closeFD(n int) error { return unix.Close(n) }

func dupAbove(n, lowest int) (int, error) {
	return unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, lowest)
}

func createMemory(name string) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	n, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		n, err = unix.MemfdCreate(name, flags)
	}
	return n, err
}

// UnixConn returns a conn for f, which it closes. The caller closes the conn.
func (f *FD) UnixConn() (*net.UnixConn, error) {
	c, err := f.TakeConn()
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%T is not a unix socket", c)
	}
	return u, nil
}

// TakeConn returns a conn for f, which it closes. The caller closes the conn.
func (f *FD) TakeConn() (net.Conn, error) {
	n := f.Take()
	if n < 0 {
		return nil, os.ErrClosed
	}
	file := os.NewFile(uintptr(n), "socket")
	defer file.Close()
	return net.FileConn(file) // a duplicate, close-on-exec
}

// SetNonblock sets O_NONBLOCK, which all duplicates of f share, also those in other
// processes.
func (f *FD) SetNonblock() error { return SetNonblock(f.Int()) }

// SetNonblock is FD.SetNonblock for descriptor n.
func SetNonblock(n int) error { return unix.SetNonblock(n, true) }

// Listener returns a net.Listener for a duplicate of f. The caller closes both.
func (f *FD) Listener() (net.Listener, error) {
	file, err := f.file()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileListener(file)
}

// PacketConn returns a net.PacketConn for a duplicate of f. The caller closes both.
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

// NewEpoll returns an epoll instance that the runtime's poller watches: raw.Read waits until one of its
// sockets is ready. The caller closes the file.
func NewEpoll() (file *os.File, raw syscall.RawConn, err error) {
	n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(n, true) // only then the runtime watches it; it fails for no open descriptor
	file = os.NewFile(uintptr(n), "epoll")
	if raw, err = file.SyscallConn(); err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, raw, nil
}
