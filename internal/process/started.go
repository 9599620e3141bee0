package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Invocation is how a process was started.
type Invocation struct {
	Exec string   // absolute path, symbolic links not resolved; "" if unknown
	Args []string // with the program's name
	Dir  string   // the working directory; "" if it was gone already
}

// started is captured when this package is initialized, before the program's own code
// can change it: the program may rewrite os.Args or change the working directory, to
// which argv[0] may be relative, and the directory may be gone by the next reload. It
// never changes afterwards.
var started = captureInvocation()

// state is what else Restart restores, captured at the same time for the same reason.
var state = captureState()

// Started returns how this process was started. The caller may change the result.
func Started() Invocation {
	s := started
	s.Args = slices.Clone(s.Args)
	return s
}

func captureInvocation() (s Invocation) {
	s.Dir, _ = os.Getwd() // "" if it is gone already: workers then get the master's
	s.Exec = ownPath(os.Args, s.Dir)
	s.Args = slices.Clone(os.Args)
	return s
}

// ownPath returns argv[0] as an absolute path, relative to dir. It doesn't resolve
// symbolic links, as os.Executable does: a reload must follow a link that was moved to
// the next release.
func ownPath(args []string, dir string) string {
	if len(args) == 0 || args[0] == "" {
		return ""
	}
	name := args[0]
	switch {
	case filepath.IsAbs(name):
	case strings.ContainsRune(name, filepath.Separator):
		name = filepath.Join(dir, name)
	default:
		name, _ = exec.LookPath(name)
	}
	if info, err := os.Stat(name); err != nil || !isExecutable(info) {
		name, _ = os.Executable() // argv[0] names no file, as a login shell's "-name"
	}
	return name
}
