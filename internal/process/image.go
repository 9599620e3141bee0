package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/rota-go/rota/internal/account"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/status"
)

// Image is what the workers of a generation are started from. It keeps the executable
// and the working directory open: a worker that crashes is restarted from the same file
// and in the same directory, whatever stands at their paths by then.
type Image struct {
	path       string
	executable *os.File // closed by Close; nil if it can't be kept open
	args       []string // with the program's name
	dir        string
	dirFile    *os.File // dir, closed by Close; nil if it can't be kept open
	env        []string
	user       *account.Account // nil means this process's own
	confine    account.Confine
	extraFiles []*os.File // the caller's
	stdin      bool
	silent     bool
	release    status.Release
}

// Prepare looks up everything that workers of s need. It reads files and calls s.Env, so
// it may block. The caller must Close the image.
func Prepare(s Spec) (*Image, error) {
	i, err := s.prepare()
	if s.Executable != nil && (err != nil || i.executable != s.Executable) {
		_ = s.Executable.Close() // nothing was written
	}
	return i, err
}

func (s Spec) prepare() (*Image, error) {
	path, err := s.path()
	if err != nil {
		return nil, err
	}
	user, err := account.LookUp(s.User)
	if err != nil {
		return nil, err
	}
	env, err := s.env()
	if err != nil {
		return nil, err
	}
	executable, err := s.openExecutable(path)
	if err != nil {
		return nil, err
	}
	return &Image{
		path: path, executable: executable, args: s.argv(path),
		dir: s.dir(), dirFile: s.openDir(),
		env: user.Environ(link.Environ(s.Share.of(env))), user: user,
		confine:    account.Confine{NoNewPrivs: s.NoNewPrivs || user != nil, NoCapabilities: user != nil},
		extraFiles: slices.Clone(s.ExtraFiles), stdin: s.Stdin, silent: s.Silent,
		release: releaseOf(path, executable),
	}, nil
}

// IsKept reports whether workers are started from the file that was at the path of the
// executable, whatever is there now. Scripts, and files that can't be read, are started by path.
func (i *Image) IsKept() bool { return i.executable != nil }

// Owner returns the user and groups that workers run as. ok is false if these are this
// process's, or if workers have the rights of this process's user anyway.
func (i *Image) Owner() (uid, gid uint32, groups []uint32, ok bool) {
	if i == nil {
		return 0, 0, nil, false
	}
	return i.user.Other()
}

// Executable returns a duplicate of the open executable, which the caller closes; nil if it isn't
// kept open.
func (i *Image) Executable() (*descriptor.FD, error) {
	if i == nil || i.executable == nil {
		return nil, nil
	}
	return descriptor.DupOf(i.executable)
}

// Close closes the executable and the working directory. Workers that run are not
// affected; none may be started any more.
func (i *Image) Close() {
	for _, f := range []*os.File{i.executable, i.dirFile} {
		if f != nil {
			_ = f.Close() // nothing was written
		}
	}
}

// openExecutable opens the executable that s means, whose path is path.
func (s Spec) openExecutable(path string) (*os.File, error) {
	if s.Executable != nil {
		if info, err := s.Executable.Stat(); err == nil && isExecutable(info) && !isScript(s.Executable) {
			return s.Executable, nil
		}
	}
	if s.Exec == "" && s.Running {
		if f, err := openExecutable(selfExe); err == nil {
			return f, nil
		}
	}
	return openExecutable(path)
}

// openExecutable checks the file at path and opens it. The result is nil without an
// error where the open file couldn't be executed.
func openExecutable(path string) (*os.File, error) {
	info, err := os.Stat(path) // before it is opened: to open a FIFO blocks
	if err == nil && !isExecutable(info) {
		err = &os.PathError{Op: "exec", Path: path, Err: os.ErrPermission}
	}
	if err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrPermission) {
		return nil, nil // it may be executable without being readable; exec will tell
	}
	if err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	if isScript(f) {
		_ = f.Close() // exec closes the descriptor before the interpreter could read it
		return nil, nil
	}
	return f, nil
}

func isExecutable(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func isScript(f *os.File) bool {
	var head [2]byte
	_, err := f.ReadAt(head[:], 0)
	return err == nil && string(head[:]) == "#!"
}

// openDir opens the working directory. If it is the one this process was started in and
// can't be opened by name, because it was removed, openDir opens the current one. The
// result is nil if that fails too: Start then returns the reason.
func (s Spec) openDir() *os.File {
	f, err := openDirectory(s.dir())
	if err != nil && s.Dir == "" && isDirRemoved() {
		f, err = openDirectory(".")
	}
	if err != nil {
		return nil
	}
	return f
}

// isDirRemoved reports whether this process's working directory was removed.
func isDirRemoved() bool {
	_, err := os.Getwd()
	return err != nil
}

// workDir returns the path of the directory to start a worker in: the plain one as long as
// the directory there is the one that was opened, otherwise a path to the open directory.
func (i *Image) workDir() string {
	if usePath(i.dirFile, i.dir) {
		return i.dir
	}
	return descriptorPath(i.dirFile, i.dir)
}

// usePath reports whether path is to be used rather than kept: what kept has open is there,
// or there is no choice.
func usePath(kept *os.File, path string) bool {
	if kept == nil {
		return true
	}
	was, err := kept.Stat()
	if err != nil {
		return true
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(was, now)
}
