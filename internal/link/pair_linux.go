//go:build linux

package link

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

const supported = true

func pair() (*Link, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	link, err := New(descriptor.New(fds[0]))
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return link, os.NewFile(uintptr(fds[1]), "worker's end"), nil
}
