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
	"sync"
	"time"

	"github.com/rota-go/rota/internal/link"
)

// Process is a worker process that was started.
type Process struct {
	Link   *link.Link  // to the worker; the caller closes it
	OS     *os.Process // waited for by Wait alone
	Output [2]*os.File // a silent worker's stdout and stderr, to read; nil otherwise. The caller closes them.

	cmd    *exec.Cmd
	killed chan struct{} // closed at the first SIGKILL
	kill   sync.Once
}

// Exit is how a process ended: a signal or a code, not both.
type Exit struct {
	Code   int       // 0 if Signal or Err is set
	Signal os.Signal // nil unless a signal killed the process
	Err    error     // the wait failed, as with ErrTraced
}

// ErrTraced is why the exit status of a process is not known.
var ErrTraced = errors.New("it has ended, and the process that traces it has its exit status")

// Signal sends the process a signal. It returns os.ErrProcessDone if the process has
// ended.
func (p *Process) Signal(s os.Signal) error {
	err := p.OS.Signal(s)
	if s == os.Kill {
		p.kill.Do(func() { close(p.killed) })
	}
	return err
}

// Wait waits for the process to end. It must be called exactly once. It waits for this
// child only: the program may have others. Where the system has pidfds, a goroutine that
// waits needs no thread. A process that another one traces (ptrace) has ended then too, although
// the system leaves the wait for it to that one: any process of the same user could otherwise
// keep a worker in the rota that has ended.
func (p *Process) Wait() Exit {
	if awaitExit(p.OS.Pid, p.killed); isOthers(p.OS.Pid) {
		go p.waitLater()
		return Exit{Err: ErrTraced}
	}
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

// lookAgain is how often a process that was killed, or is another's to wait for, is looked at.
const lookAgain = time.Second

// waitLater waits for a process that has ended when no other traces it any more. Until then it
// takes no thread.
func (p *Process) waitLater() {
	for isOthers(p.OS.Pid) {
		time.Sleep(lookAgain)
	}
	_ = p.cmd.Wait() // how it ended interests nobody any more
}
