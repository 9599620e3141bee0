package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Spec says how the workers of a generation are started. The zero value starts this
// process's own program again, in the way this process was started.
type Spec struct {
	Exec string   // the executable; "" means this process's own, by Invocation.Exec
	Args []string // without the program's name; nil means those of this process
	Dir  string   // the working directory; "" means the one this process was started in
	User string   // "user" or "user:group", by name or number; "" means this process's own

	// NoNewPrivs keeps workers from gaining privileges by executing files. Workers of a User
	// can't either way, and have no capabilities of this process, unless User is root.
	NoNewPrivs bool

	// Running is of use with Exec "": workers are to run what this process runs, also if
	// another file stands at the path by now, or none.
	Running bool

	// Executable is what workers are to run, whatever stands at the path, if it is an executable
	// file. Prepare owns it, and the Image if there is no error. Nil means that of the path.
	Executable *os.File

	// Env returns the environment; nil means os.Environ. Prepare calls it once, and
	// returns its error unchanged.
	Env func() ([]string, error)

	// ExtraFiles are inherited by every worker: entry i becomes descriptor 3+i. They
	// stay open and remain the caller's.
	ExtraFiles []*os.File

	Stdin  bool // stdin is this process's own; otherwise it is at its end
	Silent bool // stdout and stderr go to pipes, see Process.Output
}

// path returns the absolute path of the executable.
func (s Spec) path() (string, error) {
	if s.Exec == "" {
		if started.Exec == "" {
			return "", errors.New("executable: this process was started without a name; set Config.Exec")
		}
		return started.Exec, nil
	}
	path, err := exec.LookPath(s.Exec)
	if err != nil {
		return "", fmt.Errorf("executable: %w", err)
	}
	return filepath.Abs(path)
}

// argv returns the arguments with the program's name in front.
func (s Spec) argv(path string) []string {
	name, args := path, s.Args
	if s.Exec == "" && len(started.Args) > 0 {
		name = started.Args[0]
	}
	if args == nil {
		args = started.Args[min(1, len(started.Args)):]
	}
	return append([]string{name}, args...)
}

func (s Spec) dir() string {
	if s.Dir == "" {
		return started.Dir
	}
	return s.Dir
}

func (s Spec) env() ([]string, error) {
	if s.Env == nil {
		return os.Environ(), nil
	}
	return s.Env()
}
