//go:build linux

package sharedfile

import (
	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// create makes a file of size bytes that are zero. Its size can't change: a process that has mapped
// it would die of another's truncate.
func create(size int64) (*descriptor.FD, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	n, err := unix.MemfdCreate("rota", flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		n, err = unix.MemfdCreate("rota", flags)
	}
	if err != nil {
		return nil, err
	}
	fd := descriptor.New(n)
	err = unix.Ftruncate(n, size)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(n), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = fd.Close() // nothing was written to it
		return nil, err
	}
	return fd, nil
}
