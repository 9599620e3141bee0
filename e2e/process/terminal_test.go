//go:build linux

package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// openTerminal opens a pseudo terminal: the terminal's side, whose end closes the terminal,
// and the program's.
func openTerminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	t.Cleanup(func() { screen.Close() })
	e2etest.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	e2etest.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	e2etest.NoError(t, err)
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}

// onTerminal runs cmd as the leader of a session on a terminal, with tty as standard input.
func onTerminal(t *testing.T, cmd *exec.Cmd, tty *os.File) *e2etest.Process {
	t.Helper()
	cmd.Stdin = tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p := e2etest.Begin(t, cmd)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-p.Ended
		p.LeavesNothing()
	})
	return p
}

// A server in the foreground of a terminal scales by TTIN as any other. Its workers have no
// terminal.
func TestForegroundOfATerminal(t *testing.T) {
	t.Parallel()
	_, tty := openTerminal(t)
	p := onTerminal(t, e2etest.Command(t, "serve", server.Quick(1)), tty)
	p.WaitLog(e2etest.WorkerReady, 1)
	p.Signal(syscall.SIGTTIN)
	p.WaitLog(e2etest.WorkerReady, 2)
	for _, pid := range p.Children() {
		if got, want := sessionOf(t, pid), fmt.Sprint(pid, " 0"); got != want {
			t.Errorf("session and terminal of worker %d are %s, want %s", pid, got, want)
		}
	}
	if out := shell(t, p, "echo x 2>&1 >/dev/tty"); out == "" {
		t.Errorf("a worker can open the master's terminal")
	}
}

// sessionOf returns the session of a process, and the number of its controlling terminal.
func sessionOf(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	e2etest.NoError(t, err)
	m := regexp.MustCompile(`\) \S \d+ \d+ (\d+) (\d+)`).FindSubmatch(b)
	return fmt.Sprintf("%s %s", m[1], m[2])
}

// background is a shell that starts $0 as a background job of its terminal and reads all that
// is for it.
const background = `set -m; "$0" & trap 'kill -TERM $!' TERM; wait; wait`

// A server in the background of a terminal that stops background jobs which write (stty
// tostop) goes on, and no worker is added or removed by what the terminal sends.
func TestBackgroundOfATerminal(t *testing.T) {
	t.Parallel()
	screen, tty := openTerminal(t)
	settings, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	e2etest.NoError(t, err)
	settings.Lflag |= unix.TOSTOP
	e2etest.NoError(t, unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, settings))
	cmd := e2etest.Command(t, "serve", server.Quick(2))
	cmd.Args = []string{"sh", "-c", background, cmd.Path}
	cmd.Path, err = exec.LookPath("sh")
	e2etest.NoError(t, err)
	cmd.Stdout, cmd.Stderr = tty, tty
	p := onTerminal(t, cmd, tty)
	go func() { _, _ = io.Copy(p.Log, screen) }() // until screen is closed
	p.WaitLog(e2etest.WorkerReady, 2)
	p.WaitLog(e2etest.JobOfATerminal, 1)
	m := regexp.MustCompile(`rota: master pid=(\d+)`).FindStringSubmatch(p.Log.String())
	pid, _ := strconv.Atoi(m[1])
	for _, s := range []syscall.Signal{syscall.SIGTTIN, syscall.SIGTTOU} {
		e2etest.NoError(t, syscall.Kill(pid, s))
	}
	e2etest.NoError(t, syscall.Kill(pid, syscall.SIGHUP))
	p.WaitLog(e2etest.ReloadDone, 1)
	if n := p.Logged(e2etest.Scales); n > 0 {
		t.Errorf("the terminal has scaled the server %d times", n)
	}
}

// Closing the terminal stops a server gracefully: it ends any program.
func TestTerminalIsClosed(t *testing.T) {
	t.Parallel()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // or the server ignores it where the tests run under nohup
	screen, tty := openTerminal(t)
	p := onTerminal(t, e2etest.Command(t, "serve", server.Quick(1)), tty)
	p.WaitLog(e2etest.WorkerReady, 1)
	busy := p.InFlight("/?sleep=300ms")
	tty.Close()
	screen.Close()
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := p.Wait(); status != 0 || p.Logged(e2etest.TerminalClosed) == 0 || p.Logged(e2etest.ReloadStarts) > 0 {
		t.Errorf("exit status %d, want 0, the line %q and no reload", status, e2etest.TerminalClosed)
	}
}

// A server that was started by nohup outlives its terminal. From then on SIGHUP is a reload,
// as always.
func TestTerminalIsClosedWithNohup(t *testing.T) {
	t.Parallel()
	screen, tty := openTerminal(t)
	cmd := e2etest.Command(t, "serve", server.Quick(1))
	cmd.Args = []string{"sh", "-c", `trap "" HUP; exec "$0"`, cmd.Path}
	var err error
	cmd.Path, err = exec.LookPath("sh")
	e2etest.NoError(t, err)
	p := onTerminal(t, cmd, tty)
	p.WaitLog(e2etest.WorkerReady, 1)
	tty.Close()
	screen.Close()
	p.WaitLog(e2etest.TerminalClosed, 1)
	if p.Logged(e2etest.ReloadStarts) > 0 || p.Logged(e2etest.StopStarts) > 0 {
		t.Errorf("the end of the terminal is a reload or a stop")
	}
	e2etest.WaitFor(t, "a reload", func() bool { p.Signal(syscall.SIGHUP); return p.Logged(e2etest.ReloadDone) > 0 }, p.Log.String)
}
