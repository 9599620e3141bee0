package handover

import (
	"os"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
)

// Supported says whether connections can be moved on this platform.
const Supported = supported

// NewPair makes a pair for two workers. The caller closes both ends, or sends them.
func NewPair() (sender, receiver *descriptor.FD, err error) { return newPair() }

// Cookie returns the number by which the kernel tells the socket of a listener from all
// others. It is the same in every process that has the socket.
func Cookie(ln syscall.Conn) (c uint64, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return 0, err
	}
	if controlErr := raw.Control(func(fd uintptr) { c, err = descriptor.Cookie(int(fd)) }); controlErr != nil {
		return 0, controlErr
	}
	return c, os.NewSyscallError("getsockopt", err)
}
