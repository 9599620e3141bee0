//go:build linux

package master

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// directoryLock is an flock on a directory. It owns fd.
type directoryLock struct {
	fd     int // -1: the directory can't be opened
	locked bool
}

// lockDirectory waits for the lock, at most for patience. Without it the caller goes
// on, more carefully.
func lockDirectory(ctx context.Context, dir string, patience time.Duration) *directoryLock {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &directoryLock{fd: -1}
	}
	l := &directoryLock{fd: fd}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		l.locked = err == nil
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return l
		}
		select {
		case <-ctx.Done():
			return l
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (l *directoryLock) held() bool { return l.locked }

// close gives the lock back.
func (l *directoryLock) close() {
	if l.fd >= 0 {
		_ = unix.Close(l.fd)
	}
}

const maxPath = 107 // of sun_path's 108 bytes the last is a NUL

// isBound reports whether a socket is bound to the file at path. Where it can't
// tell, one is.
func isBound(path string, l *directoryLock) bool {
	if len(path) > maxPath {
		path = fmt.Sprintf("/proc/self/fd/%d/%s", l.fd, filepath.Base(path))
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	return !errors.Is(err, unix.ECONNREFUSED)
}
