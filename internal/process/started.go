package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// selfExe names the executable that runs, also when it was replaced or removed. Only Linux
// has it.
const selfExe = "/proc/self/exe"

// Invocation is how a process was started.
type Invocation struct {
	Exec string   // absolute path, symbolic links not resolved; "" if unknown
	Args []string // with the program's name
	Dir  string   // the working directory; "" if it was gone already

	Processors int // GOMAXPROCS; 0 where the environment sets it
}

// Processors returns how many processors this process and its workers can use at a time, by what held at its start: the default
// of GOMAXPROCS, which heeds the quota of a cgroup. Where the environment sets another value, that is for each worker.
func Processors() int {
	if started.Processors > 0 {
		return started.Processors
	}
	return usualProcessors()
}

// usualProcessors returns what GOMAXPROCS would be if the environment didn't set it. It stops the program twice, for 0.1 ms, so only
// a master calls it, and once.
var usualProcessors = sync.OnceValue(func() int {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.SetDefaultGOMAXPROCS()
	return runtime.GOMAXPROCS(0)
})

// started is captured when this package is initialized, before the program's own code
// can change it: the program may rewrite os.Args or change the working directory, to
// which argv[0] may be relative, and the directory may be gone by the next reload. Only
// Restarted changes it, while packages are initialized.
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
	s.Exec = ownPath(os.Args, s.Dir, isOwnProgram)
	s.Args = slices.Clone(os.Args)
	s.Processors = processors(os.Getenv("GOMAXPROCS"))
	return s
}

// processors returns Invocation.Processors in an environment with this value of GOMAXPROCS.
func processors(set string) int {
	if n, _ := strconv.Atoi(set); n > 0 { // package runtime ignores others
		return 0
	}
	return runtime.GOMAXPROCS(0)
}

// ownPath returns argv[0] as an absolute path, relative to dir, if isOwn says that the
// program of this process is there. It doesn't resolve symbolic links, as os.Executable
// does: a reload must follow a link that was moved to the next release. But argv[0] is
// only a name that the parent chose: "-srv" of a login shell, a title as systemd's
// "ExecStart=@/srv/app title" sets it, or the name of another program. ownPath then
// returns os.Executable.
func ownPath(args []string, dir string, isOwn func(path string) bool) string {
	if path := namedPath(args, dir); path != "" && isOwn(path) {
		return path
	}
	path, _ := os.Executable() // "" if not known
	return path
}

// namedPath returns what argv[0] names, as the shell finds it, or "".
func namedPath(args []string, dir string) string {
	if len(args) == 0 || args[0] == "" {
		return ""
	}
	name := args[0]
	if !strings.ContainsRune(name, filepath.Separator) {
		name, _ = exec.LookPath(name) // with exec.ErrDot, a path relative to dir
	}
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// isOwnProgram reports whether the file at path is the one that this process executes.
// Where the system can't tell, it reports whether the file is executable.
func isOwnProgram(path string) bool {
	there, err := os.Stat(path)
	if err != nil || !isExecutable(there) {
		return false
	}
	runs, err := os.Stat(selfExe)
	return err != nil || os.SameFile(there, runs)
}

// Restart executes the program of this process again, in this process: with the pid, the
// executable that runs now (whatever stands at its path), and the arguments, environment,
// working directory, umask and descriptors that the process was started with. env is added
// to the environment, and files stay open. The new program starts with nothing of this one:
// no goroutine, memory, lock, listener or signal handler.
//
// Restart returns only if it fails. Then the process is as it was, except that signal
// handlers of the program may have been reset. It fails with errors.ErrUnsupported on a
// platform without /proc.
func Restart(env []string, files []*os.File) error {
	if err := restart(env, files); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return errors.New("restart: exec has returned") // can't happen
}

// CanRestart reports whether Restart is expected to work.
func CanRestart() bool { return canRestart() }

// Restarted says that this process is one that Restart executed, and that path was the
// executable's before: what stands there may be another file by now. It restores the
// process name too, which is "exe" or a number after the program was executed by a path
// below /proc. It is to be called while packages are initialized.
func Restarted(path string) {
	started.Exec = path
	restoreName()
}

// NameWorker gives this process the name that ps and top show for the worker in slot 2 of
// the program "server": "server:w2". The master's is "server".
func NameWorker(slot int) { nameWorker(slot) }
