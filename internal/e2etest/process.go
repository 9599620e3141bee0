//go:build linux

package e2etest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Process is a process that a test has started: a master, most of the time.
type Process struct {
	Log   *Output       // what it, its workers and its successors have written
	Ended chan struct{} // closed when all processes that have its output have ended
	Cmd   *exec.Cmd

	t    testing.TB
	mark string // in the environment of the process and all its descendants
	err  error  // of Cmd.Wait, after Ended
}

// Start runs a helper as a master and returns when its workers are ready. The
// configuration is a struct with a field Workers, such as master.Config. At the end of the
// test the master is stopped, and no process of it may be left.
func Start(t testing.TB, helper string, config any, env ...string) *Process {
	t.Helper()
	p := Launch(t, helper, config, env...)
	p.WaitLog(WorkerReady, workersOf(config))
	return p
}

// StartExe is Start with another executable.
func StartExe(t testing.TB, exe, helper string, config any, env ...string) *Process {
	t.Helper()
	cmd := Command(t, helper, config, env...)
	cmd.Path, cmd.Args[0] = exe, exe
	p := Run(t, cmd)
	p.WaitLog(WorkerReady, workersOf(config))
	return p
}

// Launch is Start without waiting for workers.
func Launch(t testing.TB, helper string, config any, env ...string) *Process {
	t.Helper()
	return Run(t, Command(t, helper, config, env...))
}

// Run starts cmd, in a session of its own, without the terminal that the tests may have. At the end of the test the process is
// sent SIGTERM, and no process of it may be left. Unless cmd has a Stdout, its output goes
// to Log.
func Run(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	p := Begin(t, cmd)
	t.Cleanup(p.cleanup)
	return p
}

// marks makes every mark of this process another one.
var marks atomic.Int64

// Begin is Run for a process that the caller ends.
func Begin(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, Cmd: cmd, Log: &Output{}, Ended: make(chan struct{})}
	p.mark = fmt.Sprintf("ROTA_E2E_MARK=%d.%d.%d", os.Getpid(), time.Now().UnixNano(), marks.Add(1)) // a pid is not unique: there are namespaces
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, p.mark)
	if cmd.Stdout == nil {
		cmd.Stdout, cmd.Stderr = p.Log, p.Log
	}
	NoError(t, cmd.Start())
	go func() { p.err = cmd.Wait(); close(p.Ended) }()
	return p
}

// TB returns the test that the process is of.
func (p *Process) TB() testing.TB { return p.t }

// PID returns the pid of the master: after upgrades, of the one that took over last.
func (p *Process) PID() int {
	all := tookOverPattern.FindAllStringSubmatch(p.Log.String(), -1)
	if all == nil {
		return p.Cmd.Process.Pid
	}
	pid, _ := strconv.Atoi(all[len(all)-1][1])
	return pid
}

// Addr returns the address of the first worker's first socket.
func (p *Process) Addr() string {
	p.t.Helper()
	m := addrPattern.FindStringSubmatch(p.Log.String())
	if m == nil {
		p.t.Fatalf("no address in the log:\n%s", p.Log)
	}
	return m[1]
}

// Signal sends a signal to the master.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(p.PID(), s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// Wait waits for the end of the process and returns its exit status.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Stuck):
		p.t.Fatalf("process %d does not end; log:\n%s", p.PID(), p.Log)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// cleanup stops the process and checks that nothing of it is left. A process that has
// ended is sent nothing: its pid may be another's by now.
func (p *Process) cleanup() {
	select {
	case <-p.Ended:
	default:
		_ = syscall.Kill(p.PID(), syscall.SIGTERM)
	}
	select {
	case <-p.Ended:
	case <-time.After(Stuck):
		p.t.Errorf("process %d did not stop", p.PID())
		p.killLeft()
		<-p.Ended
	}
	p.LeavesNothing()
}

// LeavesNothing waits until all descendants of the process have ended. If the test has
// failed it logs what they have written.
func (p *Process) LeavesNothing() {
	for deadline := time.Now().Add(Stuck); len(p.left()) > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Errorf("processes %v are left", p.left())
			p.killLeft()
		}
	}
	if p.t.Failed() {
		p.t.Logf("log of process %d:\n%s", p.PID(), p.Log)
	}
}

func (p *Process) left() []int { return withMark(p.mark) }

func (p *Process) killLeft() {
	for _, pid := range p.left() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// EndsWell waits for the end of a request in flight, which must be answered, and then of the
// process, whose status must be 0.
func (p *Process) EndsWell(busy <-chan error) {
	p.t.Helper()
	if err := <-busy; err != nil {
		p.t.Errorf("the request in flight: %v", err)
	}
	if status := p.Wait(); status != 0 {
		p.t.Errorf("exit status %d, want 0", status)
	}
}
