package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/thread"
)

// Start starts a worker. It sets the FD and Master of id, and adds env to the image's
// environment. The worker inherits stdin (see Spec.Stdin), stdout, stderr, the extra files
// and its end of the link, and no other descriptor.
func (i *Image) Start(id link.Identity, env map[string]string) (*Process, error) {
	link, workerEnd, err := link.Pair()
	if err != nil {
		return nil, err
	}
	defer workerEnd.Close()
	id.FD = 3 + len(i.extraFiles)
	id.Master = os.Getpid()
	cmd := i.cmd(id, env)
	cmd.ExtraFiles = append(append([]*os.File(nil), i.extraFiles...), workerEnd)
	output, err := i.startCmd(cmd)
	if err != nil {
		_ = link.Close()
		return nil, startError(i.dir, err)
	}
	return &Process{Link: link, OS: cmd.Process, Output: output, cmd: cmd, killed: make(chan struct{})}, nil
}

func (i *Image) cmd(id link.Identity, env map[string]string) *exec.Cmd {
	cmd := &exec.Cmd{
		Path:        i.path,
		Args:        i.args,
		Dir:         i.workDir(),
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		SysProcAttr: processAttr(i.user),
	}
	cmd.Env = slices.Clone(i.env)
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, link.EnvName+"="+id.String())
	return cmd
}

// startCmd starts cmd, and returns the read ends of a silent worker's output.
func (i *Image) startCmd(cmd *exec.Cmd) (output [2]*os.File, err error) {
	if !i.silent {
		return output, i.exec(cmd)
	}
	p, err := newPipes()
	if err != nil {
		return output, err
	}
	defer closeFiles(p.write)
	cmd.Stdout, cmd.Stderr = p.write[0], p.write[1]
	if err := i.exec(cmd); err != nil {
		closeFiles(p.read)
		return output, err
	}
	return p.read, nil
}

// exec starts cmd with the image's executable: by its path as long as the file there is the
// one that was opened, so that ps and the like show its name, otherwise by a descriptor.
// Descriptors that cmd doesn't pass keep their number in the child until it has executed the
// file, but those that it passes are first moved to their places, some of them by way of a
// number above all of theirs. So the executable is opened above that too, for as long as
// exec needs it. What this process has inherited or opened without close-on-exec, in C for
// example, must not reach the worker, so the flag is set first.
func (i *Image) exec(cmd *exec.Cmd) error {
	descriptor.CloseAllOnExec()
	if cmd.Stdin = os.Stdin; !i.stdin {
		empty, err := openEmpty()
		if err != nil {
			return err
		}
		defer empty.Close()
		cmd.Stdin = empty
	}
	if usePath(i.executable, i.path) {
		return i.confine.Start(cmd.Start)
	}
	file := i.executable // goes too if it is not in the way
	if n, err := descriptor.DupAbove(int(file.Fd()), passedBelow(cmd)); err == nil {
		file = os.NewFile(uintptr(n), i.path)
		defer file.Close()
	}
	cmd.Path = descriptorPath(file, i.path)
	return i.confine.Start(cmd.Start)
}

// openEmpty opens a file that is at its end: the null device or, where there is none, as in
// a bare chroot, a pipe that nobody writes to.
func openEmpty() (*os.File, error) {
	if f, err := os.Open(os.DevNull); err == nil {
		return f, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_ = w.Close() // nothing was written
	return r, nil
}

// passedBelow returns a number that is above all that the start of cmd uses: those of its
// files, one to move each of them to, and two for a pipe that tells of a failed exec.
func passedBelow(cmd *exec.Cmd) int {
	highest := 2 + len(cmd.ExtraFiles)
	for _, s := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		if f, ok := s.(*os.File); ok {
			highest = max(highest, int(f.Fd()))
		}
	}
	for _, f := range cmd.ExtraFiles {
		highest = max(highest, int(f.Fd()))
	}
	return highest + 3 + len(cmd.ExtraFiles) + 3
}

// processLimits are what fork(2) means by EAGAIN.
const processLimits = "a limit of processes and threads: RLIMIT_NPROC, pids.max of a cgroup (TasksMax in systemd), or the system's"

// startError names the limit in err if no process may be started. It names the working directory in err if the directory is missing: exec
// reports the executable then.
func startError(dir string, err error) error {
	if info, derr := os.Stat(dir); dir != "" && (derr != nil || !info.IsDir()) {
		if derr == nil {
			derr = &os.PathError{Op: "chdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return fmt.Errorf("start: working directory: %w", derr)
	}
	if errors.Is(err, syscall.EAGAIN) {
		return fmt.Errorf("start: %w (%s)", err, processLimits)
	}
	return fmt.Errorf("start: %w", err)
}

// ReserveThreads has the runtime make the threads that a master needs: one for each
// processor that it may use, up to 16, and 12 for system calls that block. Where the system
// has no thread more, Go's runtime ends the process that needs one.
func ReserveThreads() { thread.Reserve(min(runtime.GOMAXPROCS(0), 16) + 12) }
