package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

	Share Share // added to the environment

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

// Share is what Go's runtime in a worker is told of its part of the machine, where the environment
// doesn't say.
type Share struct {
	Workers    int   // how many share the processors
	Processors int   // that this process was started with
	MaxMemory  int64 // in bytes, with which the worker is replaced; 0 or math.MaxInt64: no limit
}

// of returns env with GOMAXPROCS, if the number of workers was left to rota and there are several,
// and with GOMEMLIMIT, if memory is limited: the collector runs more often before a worker is
// replaced.
func (s Share) of(env []string) []string {
	env = env[:len(env):len(env)] // the caller's
	if get(env, "ROTA_WORKERS") == "auto" && s.Workers > 1 && get(env, "GOMAXPROCS") == "" {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", (s.Processors+s.Workers-1)/s.Workers))
	}
	if s.MaxMemory > 0 && s.MaxMemory < math.MaxInt64 && get(env, "GOMEMLIMIT") == "" {
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", s.MaxMemory-s.MaxMemory/10))
	}
	return env
}

// get returns the value of a variable; of those that are there twice the last counts.
func get(env []string, name string) (value string) {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}
