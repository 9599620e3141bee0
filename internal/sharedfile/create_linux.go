//go:build linux

package sharedfile

import (
	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// create makes a file of size bytes that are zero. Its size can't change: a process that has mapped
// it would die of another's truncate.
func create(size int64) (*descriptor.FD, error) {
	fd, err := descriptor.NewMemory("rota")
	if err != nil {
		return nil, err
	}
	err = unix.Ftruncate(fd.Int(), size)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd.Int()), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = fd.Close() // nothing was written to it
		return nil, err
	}
	return fd, nil
}
