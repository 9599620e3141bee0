package sockets

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

// Unix sockets in the file system. Only the master binds and unlinks them. bind(2) never
// replaces a file. The file that a killed master has left must therefore be unlinked
// first, but one to which a socket is bound must not be. Three rules make that safe:
//
//   - A connect(2) with the wrong socket type tells whether a socket is bound to the
//     file, without making a connection: it fails with EPROTOTYPE if one of another type
//     is, and with ECONNREFUSED only if none is, also between bind(2) and listen(2).
//   - The master holds an flock(2) on the directory from before bind(2) until after it.
//     Of two masters that find the same stale file, the second one finds the socket of
//     the first.
//   - When a socket is closed, its file is unlinked only if it is still the file that
//     was bound (same device and inode), and before the close: while the socket is open
//     nobody takes its file for stale.

// lockTimeout bounds the wait for a directory that another process has locked. Without
// the lock no file is replaced.
const lockTimeout = 2 * time.Second

// socketFile is the file of a unix socket that this master has bound.
type socketFile struct {
	path string // absolute
	info os.FileInfo
}

// identify returns the file that is at path now.
func identify(path string) (*socketFile, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	return &socketFile{path, info}, nil
}

// unlink removes the file, unless another file is at its path now.
func (f *socketFile) unlink() {
	now, err := os.Lstat(f.path)
	if err == nil && os.SameFile(now, f.info) {
		_ = os.Remove(f.path) // an error: somebody else has just removed it
	}
}

// pathOf returns the path of a socket's file. It is absolute if the request says the
// worker's directory, and means the same file in master and worker.
func pathOf(r bind.Request) string {
	if filepath.IsAbs(r.Address) || r.Dir == "" {
		return r.Address
	}
	return filepath.Join(r.Dir, r.Address)
}

// openPath opens a unix socket in the file system, and replaces a stale file.
func openPath(ctx context.Context, r Request) (Opened, error) {
	path := pathOf(r.Request)
	if strings.ContainsRune(path, 0) { // bind(2) would end the path there
		return Opened{}, withAddressOf(r.Request, os.NewSyscallError("bind", syscall.EINVAL))
	}
	lock := lockDirectory(ctx, filepath.Dir(path), lockTimeout)
	defer lock.close()
	o, err := openNew(ctx, r, nameOf(r.Request))
	if errors.Is(err, syscall.EADDRINUSE) && !r.Duplicate && lock.held() && isStale(path, lock) {
		if err := os.Remove(path); err != nil {
			return Opened{}, OpError(r.Request, err)
		}
		o, err = openNew(ctx, r, nameOf(r.Request))
	}
	if err != nil {
		return Opened{}, withAddressOf(r.Request, err)
	}
	o.file, err = identify(path)
	if err != nil {
		_ = o.FD.Close() // nobody has written to it
		return Opened{}, withAddressOf(r.Request, err)
	}
	return o, nil
}

// nameOf returns the address to bind. It is the worker's own where that means the same
// file in this process, so that the socket's name is the one that net.Listen in the
// worker would have given it.
func nameOf(r bind.Request) string {
	if filepath.IsAbs(r.Address) {
		return r.Address
	}
	here, err := os.Stat(".")
	there, terr := os.Stat(r.Dir)
	if r.Dir == "" || err == nil && terr == nil && os.SameFile(here, there) {
		return r.Address
	}
	return pathOf(r)
}

// withAddressOf returns err as a *net.OpError with the address as r writes it.
func withAddressOf(r bind.Request, err error) error {
	op, ok := err.(*net.OpError)
	if !ok {
		return &net.OpError{Op: "listen", Net: r.Network, Addr: &net.UnixAddr{Name: r.Address, Net: r.Network}, Err: err}
	}
	if a, ok := op.Addr.(*net.UnixAddr); ok && a.Name != r.Address {
		named := *op
		named.Addr = &net.UnixAddr{Name: r.Address, Net: a.Net}
		return &named
	}
	return err
}

// isStale reports whether the file at path is a socket's, and no socket is bound to it
// any more. The caller holds lock.
func isStale(path string, lock *directoryLock) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 || isBound(path, lock) {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, info)
}
