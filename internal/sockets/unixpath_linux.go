//go:build linux

package sockets

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// directoryLock is an flock on a directory. close closes fd.
type directoryLock struct {
	fd     int // -1 if the directory can't be opened
	locked bool
}

// lockDirectory locks dir. It waits for the lock until ctx ends, and no longer than
// timeout; held reports whether it got it. The caller calls close in any case.
func lockDirectory(ctx context.Context, dir string, timeout time.Duration) *directoryLock {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &directoryLock{fd: -1}
	}
	l := &directoryLock{fd: fd}
	ctx, cancel := context.WithTimeout(ctx, timeout)
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

// close releases the lock.
func (l *directoryLock) close() {
	if l.fd >= 0 {
		_ = unix.Close(l.fd)
	}
}

// maxPath is the length of the longest path in a sockaddr, in bytes: sun_path has 108,
// and the last is a NUL.
const maxPath = 107

// isBound reports whether a socket is bound to the file at path, or may be: an error
// other than ECONNREFUSED doesn't tell. A path that is too long for a sockaddr is taken
// relative to the locked directory.
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
