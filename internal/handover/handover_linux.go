//go:build linux

package handover

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

const supported = true

// rightsSize is the space for the descriptors of an offer.
var rightsSize = unix.CmsgSpace(MaxBatch * 4)

func newPair() (sender, receiver *descriptor.FD, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return descriptor.New(fds[0]), descriptor.New(fds[1]), nil
}

func rights(fds []int) []byte { return unix.UnixRights(fds...) }

// checkSocket is checkConn for a descriptor of which no conn is made. It reports false if the
// client has gone.
func checkSocket(fd int, addr net.Addr) (connected bool, err error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return false, fmt.Errorf("%w: a socket of type %d, %v", ErrMessage, kind, err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil || !belongs(addrOf(local), addr) {
		return false, fmt.Errorf("%w: a connection of %v for the socket at %v, %v", ErrMessage, addrOf(local), addr, err)
	}
	_, err = unix.Getpeername(fd)
	if err == nil || !errors.Is(err, unix.ENOTCONN) {
		return err == nil, nil
	}
	if on, err := descriptor.Listens(fd); on || err != nil {
		return false, fmt.Errorf("%w: a socket that listens, or %v", ErrMessage, err)
	}
	return false, nil
}

// addrOf returns the address of a stream socket; nil if it is of another family than belongs knows.
func addrOf(a unix.Sockaddr) net.Addr {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}
