//go:build linux

package handover

import (
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
