// Package socketfile binds unix sockets to files, and unlinks these files. Only the master
// does. bind(2) never replaces a file. The file that a killed master has left must therefore
// be unlinked first, but one to which a socket is bound must not be. Three rules make that
// safe:
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
//
// Where workers have a user of their own, they may own directories on the path, and swap
// one for a symbolic link at any moment. Whatever is done with a path that others than
// this process's user and root can change is therefore done with the rights of the workers'
// user: it can do nothing that a worker couldn't do by itself. See docs/decisions/0032.
package socketfile

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/directory"
)

// lockTimeout bounds the wait for a directory that another process has locked. Without
// the lock no file is replaced.
const lockTimeout = 2 * time.Second

// File is the file of a unix socket that this master has bound.
type File struct {
	Path string // absolute
	Is   directory.Identity
	User *bind.User // the workers'; nil if it is this process's
}

// Unlink removes the file, unless another file is at its path now. It may block for as long
// as the file system does.
func (f *File) Unlink() {
	_ = asOwner(f.Path, f.User, func() error { f.remove(); return nil }) // an error: the user can't be taken on, and the file stays
}

// remove resolves the directory once. That the file is compared and then removed is no
// race with strangers: only who may write to the directory can exchange it.
func (f *File) remove() {
	d := directory.Open(filepath.Dir(f.Path))
	defer d.Close()
	if is, err := d.Socket(filepath.Base(f.Path)); err == nil && is == f.Is {
		_ = d.Remove(filepath.Base(f.Path)) // an error: somebody else has just removed it
	}
}

// asOwner calls f with the rights of this process, if user is nil or only this process's
// user and root can change what path leads to, and otherwise with the rights of user.
func asOwner(path string, user *bind.User, f func() error) error {
	if user == nil || directory.IsTrusted(path) {
		return f()
	}
	var err error
	if derr := user.Do(func() { err = f() }); derr != nil {
		return derr
	}
	return err
}

// Path returns the path of a socket's file. It is absolute if the request says the
// worker's directory, and means the same file in master and worker. Names of a parent
// directory are removed from it, so that what is decided about a path is what is bound.
func Path(r bind.Request) string {
	path := r.Address
	if !filepath.IsAbs(path) && r.Dir != "" {
		path = filepath.Join(r.Dir, path)
	}
	if hasParent(path) {
		return filepath.Clean(path)
	}
	return path
}

// hasParent reports whether one of the names of path is that of a parent directory.
func hasParent(path string) bool {
	return slices.Contains(strings.Split(path, string(filepath.Separator)), "..")
}

// Bind has open bind a unix socket in the file system to the address that r asks for, with the
// rights of user where others can change the path, and returns its file. If replace is set it
// first unlinks a stale file. Of what open has returned it closes what it doesn't need.
func Bind(ctx context.Context, r bind.Request, user *bind.User, replace bool, open func(name string) (io.Closer, error)) (f *File, err error) {
	b := binding{Request: r, path: Path(r), user: user, replace: replace, open: open}
	if strings.ContainsRune(b.path, 0) { // bind(2) would end the path there
		return nil, withAddressOf(r, os.NewSyscallError("bind", syscall.EINVAL))
	}
	err = whenUnlocked(ctx, func(last bool) error {
		return asOwner(b.path, user, func() error {
			f, err = b.bind(last)
			return err
		})
	})
	if err != nil {
		return nil, withAddressOf(r, err)
	}
	return f, nil
}

// errLocked says that another process has locked the directory.
var errLocked = errors.New("the directory is locked")

// whenUnlocked calls open until its error is not errLocked. With last it is the last call, and
// goes on without the lock: when ctx has ended, or after lockTimeout. It waits here, because
// the thread of a user is not for waiting.
func whenUnlocked(ctx context.Context, open func(last bool) error) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for {
		err := open(ctx.Err() != nil)
		if err != errLocked {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// binding is what Bind was called with.
type binding struct {
	bind.Request
	path    string
	user    *bind.User
	replace bool
	open    func(name string) (io.Closer, error)
}

// bind binds a socket to b.path, in a directory that it resolves once for all that is done to
// its files. Unless it is the last try, it fails with errLocked if the directory is.
func (b binding) bind(last bool) (*File, error) {
	dir, base := directory.Open(filepath.Dir(b.path)), filepath.Base(b.path)
	defer dir.Close()
	if dir.IsBusy() && !last {
		return nil, errLocked
	}
	s, err := b.open(nameOf(b.Request))
	if errors.Is(err, syscall.EADDRINUSE) && b.replace && dir.Locked && isStale(dir, b.path) {
		if err := dir.Remove(base); err != nil {
			return nil, bind.OpError(b.Request, err)
		}
		s, err = b.open(nameOf(b.Request))
	}
	if err != nil {
		return nil, err
	}
	is, err := dir.Socket(base)
	if err != nil {
		_ = s.Close() // nobody has written to it
		return nil, err
	}
	return &File{b.path, is, b.user}, nil
}

// nameOf returns the address to bind. It is the worker's own where that means the same
// file in this process, so that the socket's name is the one that net.Listen in the
// worker would have given it.
func nameOf(r bind.Request) string {
	if hasParent(r.Address) {
		return Path(r)
	}
	if filepath.IsAbs(r.Address) {
		return r.Address
	}
	here, err := os.Stat(".")
	there, terr := os.Stat(r.Dir)
	if r.Dir == "" || err == nil && terr == nil && os.SameFile(here, there) {
		return r.Address
	}
	return Path(r)
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

// isStale reports whether the file at path, in d, is a socket's, and no socket is bound to
// it any more. The caller holds d's lock.
func isStale(d *directory.Directory, path string) bool {
	base := filepath.Base(path)
	was, err := d.Socket(base)
	if err != nil || d.IsBound(path) {
		return false
	}
	is, err := d.Socket(base)
	return err == nil && is == was
}
