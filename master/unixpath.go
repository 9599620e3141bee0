package master

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
)

// Unix sockets in the file system. Only the master binds and unlinks them. bind(2)
// never replaces a file, so one that a killed master has left must be unlinked first,
// and one on which somebody lives must not. Three things make that safe:
//
//   - A connect(2) of the wrong type asks who is there. It never makes a connection:
//     a socket of another type refuses with EPROTOTYPE, and only a file to which no
//     socket is bound with ECONNREFUSED, also between bind(2) and listen(2).
//   - From before bind(2) until after it, the master holds a flock(2) on the directory:
//     of two masters that find the same stale file, the second sees the socket of the
//     first.
//   - At the end the file is unlinked only if it is still the one that was bound
//     (device and inode), and before the socket is closed: while it is open, nobody
//     takes it for stale.

// lockPatience is how long to wait for another master, or anybody, who has the
// directory locked. Without the lock nothing is replaced.
const lockPatience = 2 * time.Second

// socketFile is the file of a unix socket that this master has bound.
type socketFile struct {
	path string // absolute
	info os.FileInfo
}

// identify says which file stands at path now.
func identify(path string) (*socketFile, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	return &socketFile{path, info}, nil
}

// unlink removes the file if it is still the one.
func (f *socketFile) unlink() {
	now, err := os.Lstat(f.path)
	if err == nil && os.SameFile(now, f.info) {
		_ = os.Remove(f.path) // who took it away in this moment wanted the same
	}
}

// pathOf is where the file of a socket is, whatever the working directory of
// master and worker.
func pathOf(ask bind.Request) string {
	if filepath.IsAbs(ask.Address) || ask.Dir == "" {
		return ask.Address
	}
	return filepath.Join(ask.Dir, ask.Address)
}

// bindPath binds a unix socket in the file system.
func bindPath(ctx context.Context, r request) (bound, error) {
	path := pathOf(r.Request)
	if strings.ContainsRune(path, 0) {
		return bound{}, inWordsOf(r.Request, os.NewSyscallError("bind", syscall.EINVAL)) // bind(2) would stop there
	}
	lock := lockDirectory(ctx, filepath.Dir(path), lockPatience)
	defer lock.close()
	b, err := bindNew(ctx, r, nameOf(r.Request))
	if errors.Is(err, syscall.EADDRINUSE) && !r.again && lock.held() && isStale(path, lock) {
		if err := os.Remove(path); err != nil {
			return bound{}, &net.OpError{Op: "listen", Net: r.Network, Addr: asked{r.Request}, Err: err}
		}
		b, err = bindNew(ctx, r, nameOf(r.Request))
	}
	if err != nil {
		return bound{}, inWordsOf(r.Request, err)
	}
	b.file, err = identify(path)
	if err != nil {
		_ = b.fd.Close()
		return bound{}, inWordsOf(r.Request, err)
	}
	return b, nil
}

// nameOf is the address to bind: as the worker wrote it where that means the same
// here, so that the socket's own name is what net.Listen would have given it.
func nameOf(ask bind.Request) string {
	if filepath.IsAbs(ask.Address) {
		return ask.Address
	}
	here, err := os.Stat(".")
	there, terr := os.Stat(ask.Dir)
	if ask.Dir == "" || err == nil && terr == nil && os.SameFile(here, there) {
		return ask.Address
	}
	return pathOf(ask)
}

// inWordsOf names the address in an error as the worker did.
func inWordsOf(ask bind.Request, err error) error {
	op, ok := err.(*net.OpError)
	if !ok {
		return &net.OpError{Op: "listen", Net: ask.Network, Addr: &net.UnixAddr{Name: ask.Address, Net: ask.Network}, Err: err}
	}
	if a, ok := op.Addr.(*net.UnixAddr); ok && a.Name != ask.Address {
		named := *op
		named.Addr = &net.UnixAddr{Name: ask.Address, Net: a.Net}
		return &named
	}
	return err
}

// isStale reports whether a socket's file stands at path to which no socket is
// bound any more.
func isStale(path string, lock *directoryLock) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 || isBound(path, lock) {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, info)
}
