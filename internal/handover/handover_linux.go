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

// streamAddr returns the local address of fd, which must be a connected stream socket.
func streamAddr(fd *descriptor.FD) (net.Addr, error) {
	kind, err := unix.GetsockoptInt(fd.Int(), unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return nil, orText(err, "not a stream socket")
	}
	if on, err := descriptor.Listens(fd.Int()); err != nil || on {
		return nil, orText(err, "a socket that listens")
	}
	local, err := unix.Getsockname(fd.Int())
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	return netAddr(local)
}

func orText(err error, text string) error {
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	return errors.New(text)
}

func netAddr(a unix.Sockaddr) (net.Addr, error) {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}, nil
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}, nil
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Net: "unix", Name: a.Name}, nil
	}
	return nil, fmt.Errorf("a socket of the address type %T", a)
}
