package master

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/rota-go/rota/internal/link"
)

// spawn starts a worker. The worker's end of the link is the only descriptor that
// exec passes, besides Config.ExtraFiles.
func spawn(g *generation, id link.Identity, env map[string]string) (*process, error) {
	link, end, err := link.Pair()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	id.FD = 3 + len(g.cfg.ExtraFiles)
	id.Master = os.Getpid()
	cmd := g.cmd(id, env)
	cmd.ExtraFiles = append(append([]*os.File(nil), g.cfg.ExtraFiles...), end)
	output, err := startCmd(g, cmd)
	if err != nil {
		link.Close()
		return nil, startError(g, err)
	}
	return &process{
		link:   link,
		output: output,
		os:     cmd.Process,
		signal: cmd.Process.Signal,
		wait:   func() Exit { return exitOf(cmd) },
	}, nil
}

// startCmd starts cmd, and returns what to read a silent worker's output from.
func startCmd(g *generation, cmd *exec.Cmd) (output [2]*os.File, err error) {
	if !g.cfg.Silent {
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

// startError names the directory, where that is what is missing: exec blames the
// executable for it.
func startError(g *generation, err error) error {
	if info, derr := os.Stat(g.dir); g.dir != "" && (derr != nil || !info.IsDir()) {
		if derr == nil {
			derr = &os.PathError{Op: "chdir", Path: g.dir, Err: syscall.ENOTDIR}
		}
		return fmt.Errorf("start: working directory: %w", derr)
	}
	return fmt.Errorf("start: %w", err)
}

func (g *generation) cmd(id link.Identity, env map[string]string) *exec.Cmd {
	cmd := &exec.Cmd{
		Path:        g.command(),
		Args:        g.args,
		Dir:         g.workDir(),
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		SysProcAttr: processAttr(g.as),
	}
	cmd.Env = link.Environ(g.env)
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, link.EnvName+"="+id.String())
	return cmd
}

// exitOf waits for this one child, never for any: the program may have others.
func exitOf(cmd *exec.Cmd) Exit {
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Exit{Err: err}
	}
	if s := signalOf(cmd.ProcessState); s != nil {
		return Exit{Signal: s}
	}
	return Exit{Code: cmd.ProcessState.ExitCode()}
}
