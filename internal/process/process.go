// Package process starts worker processes, and holds what else a master does with
// operating-system processes: it reads their memory use and output, reaps orphans and
// writes the PID file.
//
// A [Spec] says how the workers of a generation are started. [Prepare] looks up what it
// names and returns an [Image], from which [Image.Start] starts any number of workers.
package process

import (
	"errors"
	"os"
	"os/exec"

	"github.com/rota-go/rota/internal/link"
)

// Process is a worker process that was started.
type Process struct {
	Link   *link.Link  // to the worker; the caller closes it
	OS     *os.Process // waited for by Wait alone
	Output [2]*os.File // a silent worker's stdout and stderr, to read; nil otherwise. The caller closes them.

	cmd *exec.Cmd
}

// Exit is how a process ended: a signal or a code, not both.
type Exit struct {
	Code   int       // 0 if Signal or Err is set
	Signal os.Signal // nil unless a signal killed the process
	Err    error     // the wait failed
}

// Signal sends the process a signal. It returns os.ErrProcessDone if the process has
// ended.
func (p *Process) Signal(s os.Signal) error { return p.OS.Signal(s) }

// Wait waits for the process to end. It must be called exactly once. It waits for this
// child only: the program may have others. Where the system has pidfds, a goroutine that
// waits needs no thread.
func (p *Process) Wait() Exit {
	awaitExit(p.OS.Pid)
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Exit{Err: err}
	}
	if s := signalOf(p.cmd.ProcessState); s != nil {
		return Exit{Signal: s}
	}
	return Exit{Code: p.cmd.ProcessState.ExitCode()}
}
