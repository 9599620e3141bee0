//go:build linux

// Package launch starts a program with descriptors, and with variables that name the program's own
// pid, as systemd's do. The process is one of this command at first, which executes the program
// when it has set them.
package launch

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/rota-go/rota/internal/hangup"
	"github.com/rota-go/rota/internal/sigaction"
)

// FirstFD is the descriptor of the first of Program.Files.
const FirstFD = 3

// Program is what to start.
type Program struct {
	Command []string  // as on a command line; the first is looked up in PATH
	Env     []string  // of two variables with one name the last counts
	Files   []uintptr // from FirstFD on. They stay the caller's, and non-blocking as they are
	Sys     *syscall.SysProcAttr
	OwnPID  []string // the variables that are set to the pid
	Nohup   bool     // it ignores SIGHUP at first
	Hangup  bool     // SIGHUP ends it before it is executed too; else that has no effect then
}

// pathEnv makes a process of this command execute the program at that path with its own arguments,
// after setting the variables that pidEnv lists, and ignoring SIGHUP if nohupEnv has a value, or ending at it if hangupEnv has.
const (
	pathEnv   = "ROTA_EXEC_PATH"
	pidEnv    = "ROTA_EXEC_PID"
	nohupEnv  = "ROTA_EXEC_NOHUP"
	hangupEnv = "ROTA_EXEC_HANGUP"
)

// Packages are initialized on the main thread. A process that is to execute a program stays there: exec keeps the attributes of the
// thread that calls it, and Program.Sys has set the main thread's, such as the signal for when the parent dies.
func init() {
	if _, ok := os.LookupEnv(pathEnv); ok {
		runtime.LockOSThread()
	}
}

// Start starts the program, and returns its pid.
func (p *Program) Start() (pid int, err error) {
	path, err := exec.LookPath(p.Command[0])
	if err != nil {
		return 0, err
	}
	attr := &syscall.ProcAttr{Files: append([]uintptr{0, 1, 2}, p.Files...), Sys: p.Sys}
	env := append(p.Env[:len(p.Env):len(p.Env)], pathEnv+"="+path, pidEnv+"="+strings.Join(p.OwnPID, " "))
	if p.Nohup {
		env = append(env, nohupEnv+"=1")
	}
	if p.Hangup {
		env = append(env, hangupEnv+"=1")
	}
	attr.Env = lastOfEach(env)
	return syscall.ForkExec("/proc/self/exe", p.Command, attr)
}

// lastOfEach returns env without variables that are set again later in it, as package os/exec does it. Of two with one name
// most programs see the first.
func lastOfEach(env []string) []string { return (&exec.Cmd{Env: env}).Environ() }

// Exec executes the program if this process has been started for that, and then doesn't return
// unless it fails. It is to be called at the beginning of main.
func Exec() (err error) {
	path, ok := os.LookupEnv(pathEnv)
	if !ok {
		return nil
	}
	names, ends := os.Getenv(pidEnv), []os.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT}
	if os.Getenv(nohupEnv) != "" {
		signal.Ignore(syscall.SIGHUP)
	}
	if os.Getenv(hangupEnv) != "" {
		ends = append(ends, syscall.SIGHUP)
		hangup.GiveBack() // it ends with what has come
	}
	for _, name := range []string{pathEnv, pidEnv, nohupEnv, hangupEnv} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	env := os.Environ()
	for name := range strings.FieldsSeq(names) {
		env = append(env, name+"="+strconv.Itoa(os.Getpid()))
	}
	defer sigaction.Default(ends)()
	return &os.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, os.Args, lastOfEach(env))}
}
