//go:build linux

package fdstore

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// seals keep a record as it was written: nobody can change it while it is read.
const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// write returns a file in memory that has b and can't be changed. The caller closes it.
func write(b []byte) (*descriptor.FD, error) {
	fd, err := descriptor.NewMemory("rota record")
	if err != nil {
		return nil, err
	}
	for err == nil && len(b) > 0 {
		var wrote int
		wrote, err = unix.Write(fd.Int(), b)
		b = b[max(wrote, 0):]
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd.Int()), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = fd.Close() // the error is that of the write
		return nil, fmt.Errorf("memfd: %w", err)
	}
	return fd, nil
}

// read returns what write has written. It never blocks: only a file in memory has seals.
func read(n int) ([]byte, error) {
	has, err := unix.FcntlInt(uintptr(n), unix.F_GET_SEALS, 0)
	if err == nil && has&seals != seals {
		err = errors.New("it may still be changed")
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(n, &st)
	}
	if err == nil && st.Size > maxRecord {
		err = errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	b := make([]byte, st.Size)
	got, err := unix.Pread(n, b, 0)
	return b[:max(got, 0)], err
}

func isPipe(n int) bool {
	var st unix.Stat_t
	return unix.Fstat(n, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

func identify(n int) (device, inode uint64, err error) {
	var st unix.Stat_t
	err = unix.Fstat(n, &st)
	return st.Dev, st.Ino, err
}
