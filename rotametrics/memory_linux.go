//go:build linux

package rotametrics

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps f, which it owns.
func mapFile(f *os.File) (memory, error) {
	info, err := f.Stat()
	if err == nil && info.Size() < 2*blockSize {
		err = errors.New("the shared file is too small")
	}
	var data []byte
	if err == nil {
		data, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		_ = f.Close()
		return memory{}, err
	}
	return memory{data: data, file: f}, nil
}

// private returns memory of this process, which takes none before it is used.
func private(size int) []byte {
	data, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return make([]byte, size)
	}
	return data
}

// lock makes this process the owner of a block, unless another process is. The kernel takes the lock
// back when the process ends.
func (m memory) lock(block int) bool { return m.fcntl(unix.F_SETLK, unix.F_WRLCK, block) }

// unlock gives a block up.
func (m memory) unlock(block int) { m.fcntl(unix.F_SETLK, unix.F_UNLCK, block) }

func (m memory) fcntl(cmd int, kind int16, block int) bool {
	_, err := m.flock(cmd, kind, block)
	return err == nil || m.file == nil
}

// held reports whether another process owns a block.
func (m memory) held(block int) bool {
	l, err := m.flock(unix.F_GETLK, unix.F_WRLCK, block)
	return err == nil && l.Type != unix.F_UNLCK
}

// flock is fcntl(2) of a lock of the process, or of the file if that is the process's own.
func (m memory) flock(cmd int, kind int16, block int) (unix.Flock_t, error) {
	l := unix.Flock_t{Type: kind, Start: int64(block), Len: 1}
	if m.file == nil {
		return l, os.ErrInvalid
	}
	if m.own {
		cmd = map[int]int{unix.F_SETLK: unix.F_OFD_SETLK, unix.F_GETLK: unix.F_OFD_GETLK}[cmd]
	}
	err := unix.FcntlFlock(m.file.Fd(), cmd, &l)
	return l, err
}

// reopened opens the file of f once more, or returns nil.
func reopened(f *os.File) *os.File {
	own, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	return own
}
