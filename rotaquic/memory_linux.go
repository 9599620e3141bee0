//go:build linux

package rotaquic

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memory is the shared file, mapped. Closing it gives up the locks of this process, also those of another descriptor
// of the file: the process has one.
type memory struct {
	file *os.File // owned
	data []byte
	*table
}

// mapMemory maps f, which it owns.
func mapMemory(f *os.File) (*memory, error) {
	m, err := mapFile(f)
	if err != nil {
		_ = f.Close() // nothing was written to it
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	return m, nil
}

func mapFile(f *os.File) (*memory, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < tableSize {
		return nil, errors.New("the file is too small")
	}
	data, err := unix.Mmap(int(f.Fd()), 0, tableSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &memory{file: f, data: data, table: newTable(data)}, nil
}

// secretOf returns the secret, which the first process makes.
func (m *memory) secretOf() ([]byte, error) {
	if err := m.fcntl(unix.F_SETLKW, unix.F_WRLCK, maxMembers); err != nil {
		return nil, err
	}
	secret := m.prepare(func(b []byte) { _, _ = rand.Read(b) }) // never fails
	return secret, m.fcntl(unix.F_SETLK, unix.F_UNLCK, maxMembers)
}

// take makes this process the worker of the lowest member that has none.
func (m *memory) take(generation int) (member, error) {
	for i := range maxMembers {
		if m.fcntl(unix.F_SETLK, unix.F_WRLCK, i) == nil {
			return m.join(uint8(i), generation), nil
		}
	}
	return member{}, fmt.Errorf("%d workers serve this address already", maxMembers)
}

// locked reports whether another process has locked a member: the kernel unlocks it at the end of the process.
func (m *memory) locked(index uint8) bool {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(index), Len: 1}
	err := unix.FcntlFlock(m.file.Fd(), unix.F_GETLK, &l)
	return err != nil || l.Type != unix.F_UNLCK
}

func (m *memory) fcntl(cmd int, kind int16, at int) error {
	for {
		err := unix.FcntlFlock(m.file.Fd(), cmd, &unix.Flock_t{Type: kind, Start: int64(at), Len: 1})
		if err != unix.EINTR {
			return os.NewSyscallError("fcntl", err)
		}
	}
}

// close leaves the memory mapped, as others may look at it still.
func (m *memory) close() {
	_ = m.file.Close() // nothing is written through it
}
