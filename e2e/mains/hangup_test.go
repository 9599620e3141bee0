//go:build linux

package mains

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

const (
	mainRuns = "main runs\n"
	mainHUP  = "main has got HUP\n"
)

// slowMain waits before Listen, in the first process, until the file of the flags is there.
func slowMain() {
	if !rota.IsWorker() {
		fmt.Fprint(os.Stderr, mainRuns)
		for !e2etest.Exists(os.Getenv(e2etest.FlagsEnv)) {
			time.Sleep(time.Millisecond)
		}
	}
	server.Serve()
}

// slowHUP is slowMain with a handler of its own.
func slowHUP() {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		<-hangups
		fmt.Fprint(os.Stderr, mainHUP)
	}()
	slowMain()
}

// starting is a program whose main waits.
type starting struct {
	*e2etest.Process
	file  string
	began time.Time
}

// startSlow starts a program through a command, such as env with its options, and returns when its
// main waits.
func startSlow(t *testing.T, helper string, through ...string) starting {
	t.Helper()
	s := starting{file: filepath.Join(t.TempDir(), "go"), began: time.Now()}
	cmd := e2etest.Command(t, helper, quick, e2etest.FlagsEnv+"="+s.file)
	if len(through) > 0 {
		path, err := exec.LookPath(through[0])
		if err != nil {
			t.Skip(err)
		}
		cmd.Args = append(through, cmd.Path)
		cmd.Path = path
	}
	s.Process = e2etest.Run(t, cmd)
	s.WaitOutput(mainRuns, 1)
	return s
}

// goOn lets main come to Listen.
func (s starting) goOn() { e2etest.NoError(s.TB(), os.WriteFile(s.file, nil, 0o644)) }

// inTime reports whether the process is as young as it was assumed, which a busy machine
// doesn't grant.
func (s starting) inTime() bool { return time.Since(s.began) < 900*time.Millisecond }

// SIGHUP before Listen doesn't end the process: the master reloads as soon as it serves.
func TestHangupBeforeListen(t *testing.T) {
	t.Parallel()
	for range 10 {
		s := startSlow(t, "slow HUP")
		for range 3 {
			s.Signal(syscall.SIGHUP)
		}
		s.WaitOutput(mainHUP, 1) // the kernel may take its time
		s.goOn()
		if !s.inTime() {
			continue
		}
		s.WaitLog(e2etest.ReloadDone, 1)
		if n := s.Logged(e2etest.ReloadStarts); n != 1 {
			t.Errorf("%d reloads, want 1", n)
		}
		return
	}
	t.Skip("the machine is too busy")
}

// From main to the first worker no signal ends the process that wouldn't end the master.
func TestSignalsWhileTheMasterIsMade(t *testing.T) {
	t.Parallel()
	for range e2etest.Times(20, 5) {
		s := startSlow(t, "slow main")
		s.goOn()
		for s.Logged(e2etest.WorkerReady) == 0 {
			for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTTOU} {
				s.Signal(sig)
			}
			time.Sleep(200 * time.Microsecond)
		}
		s.Signal(syscall.SIGTERM)
		if status := s.Wait(); status != 0 {
			t.Errorf("exit status %d, want 0", status)
		}
	}
}

// SIGTERM ends the process at any time before the master has its handlers, and the master later.
func TestTermWhileTheMasterIsMade(t *testing.T) {
	t.Parallel()
	for i := range 10 {
		s := startSlow(t, "slow main")
		if i > 0 {
			s.goOn()
			time.Sleep(time.Duration(i) * 2 * time.Millisecond)
		}
		s.Signal(syscall.SIGTERM)
		if status := s.Wait(); status != 0 && status != -1 { // by the signal
			t.Errorf("exit status %d, want 0, or the end by the signal", status)
		}
	}
}

// A program that isn't a server ends by SIGHUP, as one without rota, if also up to a second later.
func TestHangupWithoutListen(t *testing.T) {
	t.Parallel()
	s := startSlow(t, "slow main")
	s.Signal(syscall.SIGHUP)
	s.Wait()
	if status := s.Cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGHUP {
		t.Errorf("the process has ended with %v, want SIGHUP", s.Cmd.ProcessState)
	}
}

// The signals that a worker blocks and ignores are those of the first process at its start.
func TestSignalsOfAWorker(t *testing.T) {
	t.Parallel()
	for name, through := range map[string][]string{
		"nothing": nil,
		"blocked": {"env", "--block-signal=ALRM"},
		"ignored": {"env", "--ignore-signal=TSTP"},
	} {
		s := startSlow(t, "slow main", through...)
		want := signalsOf(t, s.PID())
		s.goOn()
		s.WaitLog(e2etest.WorkerReady, 1)
		s.Reload()
		s.WaitLog(e2etest.WorkerLeft, 1)
		s.WaitChildren(1)
		for _, pid := range s.Children() {
			if got := signalsOf(t, pid); got != want {
				t.Errorf("%s: worker %d has\n%s, want that of the first process:\n%s", name, pid, got, want)
			}
		}
	}
}

// signalsOf returns the signals that a process blocks and ignores.
func signalsOf(t *testing.T, pid int) (all string) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	e2etest.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "SigBlk:") || strings.HasPrefix(line, "SigIgn:") {
			all += line
		}
	}
	return all
}
