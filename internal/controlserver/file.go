package controlserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/directory"
)

// file is the file of the socket.
type file struct {
	ln       *net.UnixListener
	path     string
	is       os.FileInfo
	disowned bool // another master may take the path over at any moment
}

// ErrInUse means that another master's control socket is at the path.
var ErrInUse = errors.New("another process listens there")

// listen makes the socket. It is bound beside path and renamed, so that path has at any time a
// socket that is served: the predecessor's, and then this one. Of masters that are started at the same time one gets the path.
func listen(path string, succeeds bool) (f *file, err error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%s: the path must be absolute", path)
	}
	locked(path, func(bool) { f, err = listenAt(path, succeeds) })
	return f, err
}

// listenAt is listen while no other master does it.
func listenAt(path string, succeeds bool) (*file, error) {
	if err := vacant(path); err != nil && !(succeeds && errors.Is(err, ErrInUse)) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	beside := path + control.Suffix
	_ = os.Remove(beside) // of a master that was killed here
	lc := net.ListenConfig{Control: private}
	ln, err := lc.Listen(context.Background(), "unix", beside)
	if err != nil {
		return nil, err
	}
	f := &file{ln: ln.(*net.UnixListener), path: path}
	f.ln.SetUnlinkOnClose(false)
	if f.is, err = os.Lstat(beside); err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		_ = os.Remove(beside)
		_ = ln.Close()
		return nil, err
	}
	return f, nil
}

// vacant returns an error if something is at path that may not be replaced: a file of another
// type, or a socket that a process has bound.
func vacant(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return errors.New("another file is there")
	}
	c, err := net.Dial("unixgram", path) // the wrong type: it never connects to a stream socket
	if err == nil {
		_ = c.Close()
		return ErrInUse
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if errors.Is(err, syscall.EPROTOTYPE) {
		return ErrInUse
	}
	return err
}

// isReplaced reports whether another file is at the path.
func (f *file) isReplaced() bool {
	now, err := os.Lstat(f.path)
	return err == nil && !os.SameFile(now, f.is)
}

// close closes the socket and removes its file, unless another is at the path, or may be in a moment.
func (f *file) close() {
	locked(f.path, func(sure bool) {
		if (sure || !f.disowned) && !f.isReplaced() {
			_ = os.Remove(f.path) // in a directory that has become read-only it stays
		}
	})
	_ = f.ln.Close()
}

// locked calls f when this process has locked the directory of path: no other master replaces or removes a socket in it
// meanwhile. sure is false if that can't be.
func locked(path string, f func(sure bool)) {
	d := directory.Open(filepath.Dir(path))
	defer d.Close()
	for end := time.Now().Add(lockTimeout); d.IsBusy() && time.Now().Before(end); {
		time.Sleep(lockTimeout / 100)
	}
	f(d.Locked)
}
