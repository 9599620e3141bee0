//go:build linux

package sharedfile

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// seals keep the size as it is.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// check fails if a descriptor isn't as create or createQueue makes it.
func check(fd *descriptor.FD) error {
	if isQueue(fd) {
		return checkQueue(fd.Int())
	}
	has, err := unix.FcntlInt(uintptr(fd.Int()), unix.F_GET_SEALS, 0)
	if err == nil && has&seals != seals {
		err = unix.EPERM
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd.Int(), &st)
	}
	if err == nil && (st.Size < 1 || st.Size > MaxSize) {
		err = unix.EFBIG
	}
	return err
}

// create makes a file of size bytes that are zero. Its size can't change: a process that has mapped
// it would die of another's truncate.
func create(size int64) (*descriptor.FD, error) {
	fd, err := descriptor.NewMemory("rota")
	if err != nil {
		return nil, err
	}
	err = unix.Ftruncate(fd.Int(), size)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd.Int()), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		_ = fd.Close() // nothing was written to it
		return nil, err
	}
	return fd, nil
}

// createQueue makes a socket that is connected to itself. The kernel gives it a name to connect to. What others
// may have written before it was connected is thrown away.
func createQueue() (*descriptor.FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	fd := descriptor.New(n)
	if err := connectToItself(n); err != nil {
		_ = fd.Close() // nothing was written to it
		return nil, err
	}
	discard(n)
	return fd, nil
}

func connectToItself(n int) error {
	if err := unix.Bind(n, &unix.SockaddrUnix{}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(n)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	return os.NewSyscallError("connect", unix.Connect(n, name))
}

// checkQueue fails if a socket isn't of datagrams and connected to itself.
func checkQueue(n int) error {
	kind, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
		return unix.EPROTOTYPE
	}
	name, err := unix.Getsockname(n)
	if err != nil {
		return err
	}
	peer, err := unix.Getpeername(n)
	if err != nil {
		return err
	}
	a, is := name.(*unix.SockaddrUnix)
	b, was := peer.(*unix.SockaddrUnix)
	if !is || !was || len(a.Name) < 2 || a.Name != b.Name {
		return unix.EADDRNOTAVAIL
	}
	return nil
}

func discard(n int) {
	for err := error(nil); err == nil; {
		_, _, err = unix.Recvfrom(n, nil, unix.MSG_DONTWAIT) // EAGAIN when nothing is left
	}
}

func isQueue(fd *descriptor.FD) bool {
	var st unix.Stat_t
	return unix.Fstat(fd.Int(), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}
