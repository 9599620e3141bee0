//go:build linux

package directory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// open is what a Directory has here.
type open struct {
	fd  int   // -1 if the directory can't be opened
	err error // why
}

func openDirectory(path string) *Directory {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EACCES) {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // it can't be locked then
	}
	if err != nil {
		return &Directory{open: open{fd: -1, err: &os.PathError{Op: "open", Path: path, Err: err}}}
	}
	return &Directory{open: open{fd: fd}}
}

func (d *Directory) isBusy() bool {
	if d.fd < 0 {
		return false
	}
	err := unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB)
	d.Locked = err == nil
	return errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR)
}

func (d *Directory) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
	}
}

func (d *Directory) socket(name string) (Identity, error) {
	if d.err != nil {
		return Identity{}, d.err
	}
	var is unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &is, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Identity{}, os.NewSyscallError("fstatat", err)
	}
	if is.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return Identity{}, os.NewSyscallError("fstatat", unix.ENOTSOCK)
	}
	return Identity{uint64(is.Dev), is.Ino}, nil
}

func (d *Directory) remove(name string) error {
	return os.NewSyscallError("unlinkat", unix.Unlinkat(d.fd, name, 0))
}

func (d *Directory) isBound(path string) bool {
	err := d.connect(fmt.Sprintf("/proc/self/fd/%d/%s", d.fd, filepath.Base(path)))
	if errors.Is(err, unix.ENOENT) {
		err = d.connect(path)
	}
	return !errors.Is(err, unix.ECONNREFUSED)
}

// connect connects a socket of a type that no listener has: it makes no connection.
func (d *Directory) connect(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}
