package process

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/rota-go/rota/internal/link"
)

// Start starts a worker. It sets the FD and Master of id, and adds env to the image's
// environment. The worker inherits stdin (as /dev/null), stdout, stderr, the extra files
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
	return &Process{Link: link, OS: cmd.Process, Output: output, cmd: cmd}, nil
}

func (i *Image) cmd(id link.Identity, env map[string]string) *exec.Cmd {
	cmd := &exec.Cmd{
		Path:        i.command(),
		Args:        i.args,
		Dir:         i.workDir(),
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		SysProcAttr: processAttr(i.user),
	}
	cmd.Env = link.Environ(i.env)
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, link.EnvName+"="+id.String())
	return cmd
}

// startCmd starts cmd, and returns the read ends of a silent worker's output.
func (i *Image) startCmd(cmd *exec.Cmd) (output [2]*os.File, err error) {
	if !i.silent {
		return output, cmd.Start()
	}
	p, err := newPipes()
	if err != nil {
		return output, err
	}
	defer closeFiles(p.write)
	cmd.Stdout, cmd.Stderr = p.write[0], p.write[1]
	if err := cmd.Start(); err != nil {
		closeFiles(p.read)
		return output, err
	}
	return p.read, nil
}

// startError names the working directory in err if the directory is missing: exec
// reports the executable then.
func startError(dir string, err error) error {
	if info, derr := os.Stat(dir); dir != "" && (derr != nil || !info.IsDir()) {
		if derr == nil {
			derr = &os.PathError{Op: "chdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return fmt.Errorf("start: working directory: %w", derr)
	}
	return fmt.Errorf("start: %w", err)
}
