//go:build linux

package directory

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the symbolic links on a path, as the kernel does.
const maxLinks = 40

func isTrusted(path string) bool {
	w := walk{fd: -1, rest: names(filepath.Dir(path))}
	defer w.close()
	return filepath.IsAbs(path) && w.begin() && w.toEnd() && !w.writable
}

// walk goes along a path, name by name. fd is where it is.
type walk struct {
	fd       int
	writable bool // others may create files where it is
	sticky   bool // but not rename or remove those of root and of this process's user
	rest     []string
	links    int
}

func names(path string) []string { return strings.Split(path, "/") }

// begin goes to the root directory.
func (w *walk) begin() bool {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return err == nil && w.enter(fd)
}

// toEnd reports whether all names were found, and none of them can be exchanged by others.
func (w *walk) toEnd() bool {
	for len(w.rest) > 0 {
		name := w.rest[0]
		w.rest = w.rest[1:]
		if name == "" || name == "." {
			continue
		}
		if !w.step(name) {
			return false
		}
	}
	return true
}

// step goes to name, or to where it leads if it is a symbolic link.
func (w *walk) step(name string) bool {
	fd, err := unix.Openat(w.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	var is unix.Stat_t
	if unix.Fstat(fd, &is) != nil || w.writable && !(w.sticky && isOurs(is.Uid)) {
		_ = unix.Close(fd)
		return false
	}
	if is.Mode&unix.S_IFMT == unix.S_IFLNK {
		defer unix.Close(fd)
		return w.follow(fd)
	}
	return w.enter(fd)
}

// enter makes fd, which it owns, the place where w is.
func (w *walk) enter(fd int) bool {
	w.close()
	w.fd = fd
	var is unix.Stat_t
	if unix.Fstat(fd, &is) != nil || is.Mode&unix.S_IFMT != unix.S_IFDIR || !isOurs(is.Uid) {
		return false
	}
	w.writable, w.sticky = is.Mode&0o022 != 0, is.Mode&unix.S_ISVTX != 0
	return true
}

// follow continues with the target of the symbolic link fd.
func (w *walk) follow(fd int) bool {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(fd, "", buf[:])
	if w.links++; err != nil || n == len(buf) || w.links > maxLinks {
		return false
	}
	target := string(buf[:n])
	w.rest = append(names(target), w.rest...)
	return !filepath.IsAbs(target) || w.begin()
}

func (w *walk) close() {
	if w.fd >= 0 {
		_ = unix.Close(w.fd)
	}
	w.fd = -1
}

func isOurs(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }
