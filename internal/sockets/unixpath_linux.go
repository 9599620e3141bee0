//go:build linux

package sockets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// directory is a directory that was opened once: what is done to its files is done in
// that one, whatever its path leads to meanwhile. close closes fd.
type directory struct {
	fd     int   // -1 if the directory can't be opened
	err    error // why
	locked bool
}

// openDirectory opens a directory. The caller closes it, in any case.
func openDirectory(path string) *directory {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EACCES) {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // it can't be locked then
	}
	if err != nil {
		return &directory{fd: -1, err: &os.PathError{Op: "open", Path: path, Err: err}}
	}
	return &directory{fd: fd}
}

// isBusy tries to lock d, and reports whether another process has. d.locked says whether this
// one has.
func (d *directory) isBusy() bool {
	if d.fd < 0 {
		return false
	}
	err := unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB)
	d.locked = err == nil
	return errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR)
}

// close releases the lock.
func (d *directory) close() {
	if d.fd >= 0 {
		_ = unix.Close(d.fd)
	}
}

// socket returns which file a name in d is. It fails unless that is a socket's.
func (d *directory) socket(name string) (identity, error) {
	if d.err != nil {
		return identity{}, d.err
	}
	var is unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &is, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return identity{}, os.NewSyscallError("fstatat", err)
	}
	if is.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return identity{}, os.NewSyscallError("fstatat", unix.ENOTSOCK)
	}
	return identity{uint64(is.Dev), is.Ino}, nil
}

// remove removes a name in d.
func (d *directory) remove(name string) error {
	return os.NewSyscallError("unlinkat", unix.Unlinkat(d.fd, name, 0))
}

// isBound reports whether a socket is bound to the file at path, which is in d, or may be:
// an error other than ECONNREFUSED doesn't tell. Where /proc is not mounted, the path is
// resolved again.
func (d *directory) isBound(path string) bool {
	err := d.connect(fmt.Sprintf("/proc/self/fd/%d/%s", d.fd, filepath.Base(path)))
	if errors.Is(err, unix.ENOENT) {
		err = d.connect(path)
	}
	return !errors.Is(err, unix.ECONNREFUSED)
}

// connect connects a socket of a type that no listener has: it makes no connection.
func (d *directory) connect(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}
