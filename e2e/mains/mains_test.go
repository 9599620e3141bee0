//go:build linux

package mains

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// quick has no trial, and doesn't wait long for a main that waits for a signal.
var quick = master.Config{MinUptime: -1, KillAfter: 300 * time.Millisecond}

// kinds are programs, each with what its flags are, if it needs any.
func kinds(t *testing.T) map[string]string {
	return map[string]string{
		"two servers": "", "NotifyContext": "", "Shutdown": "", "errgroup": "", "subcommand": "", "init Listen": "", "rotahttp": "",
		"cron": "", "own everything": "", "ignore": "", "umask": e2etest.ShortDir(t) + "/umask", "lock": t.TempDir() + "/lock", "metrics": e2etest.FreeAddress(t),
	}
}

// overlaps reports whether two processes of a program can run at a time, as a reload needs.
func overlaps(name string) bool { return name != "lock" && name != "metrics" }

// command is that of a program.
func command(t *testing.T, name, flags string) *exec.Cmd {
	t.Helper()
	cmd := e2etest.Command(t, name, quick, e2etest.FlagsEnv+"="+flags, "ROTA_MIN_UPTIME=none", "ROTA_KILL_AFTER=300ms")
	cmd.Args = append(cmd.Args, "serve", "-quiet")
	return cmd
}

// Each program serves, is reloaded, and at TERM answers the request in flight before the
// process that was started ends, with status 0.
func TestMains(t *testing.T) {
	for name, flags := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := e2etest.Run(t, command(t, name, flags))
			p.WaitLog(e2etest.WorkerReady, 1)
			before, err := e2etest.Request("tcp", p.Addr(), "/")
			e2etest.NoError(t, err)
			if overlaps(name) {
				p.Reload()
				e2etest.WaitFor(t, "an answer of the new worker", func() bool { // the old one may have a connection yet
					after, err := e2etest.Request("tcp", p.Addr(), "/")
					e2etest.NoError(t, err)
					return after != before
				})
			}
			busy := p.InFlight("/?sleep=300ms")
			p.Signal(syscall.SIGTERM)
			if err := <-busy; err != nil {
				t.Errorf("the request in flight at TERM: %v", err)
			}
			if status := p.Wait(); status != 0 {
				t.Errorf("exit status %d, want 0", status)
			}
		})
	}
}

// The same as PID 1 of a PID namespace, as in a container.
func TestMainsAsPID1(t *testing.T) {
	if out, err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("no PID namespaces here: %v: %s", err, out)
	}
	for name, flags := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, name, flags)
			cmd.Args = append([]string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child", cmd.Path}, cmd.Args[1:]...)
			var err error
			cmd.Path, err = exec.LookPath("unshare")
			e2etest.NoError(t, err)
			p := e2etest.Begin(t, cmd)
			p.WaitLog(e2etest.WorkerReady, 1)
			init := p.Children()
			if len(init) != 1 {
				t.Fatalf("unshare has the children %v", init)
			}
			_, err = e2etest.Request("tcp", p.Addr(), "/")
			e2etest.NoError(t, err)
			if overlaps(name) {
				e2etest.NoError(t, syscall.Kill(init[0], syscall.SIGHUP))
				p.WaitLog(e2etest.ReloadDone, 1)
				p.WaitLog(e2etest.WorkerLeft, 1)
			}
			busy := p.InFlight("/?sleep=300ms")
			e2etest.NoError(t, syscall.Kill(init[0], syscall.SIGTERM))
			if err := <-busy; err != nil {
				t.Errorf("the request in flight at TERM: %v", err)
			}
			if status := p.Wait(); status != 0 {
				t.Errorf("exit status %d, want 0", status)
			}
		})
	}
}

// Both servers of a program are served by workers.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	for range e2etest.Times(40, 5) {
		p := e2etest.Start(t, "two servers", quick)
		p.WaitOutput("server 0 on", 1)
		p.WaitOutput("server 1 on", 1)
		p.Signal(syscall.SIGTERM)
		p.Wait()
	}
}

// A lock that main has taken before Listen is not the master's: the worker gets it.
func TestLockBeforeListen(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "lock", quick, e2etest.FlagsEnv+"="+filepath.Join(t.TempDir(), "lock"))
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Error(err)
	}
}

// What main has loaded before Listen is in the worker's memory and not in the master's, at the start
// and after an upgrade. With RunMain it is in both.
func TestMemoryBeforeListen(t *testing.T) {
	for _, tc := range []struct {
		runMain bool
		upgrade bool
	}{{}, {upgrade: true}, {runMain: true}} {
		cfg := quick
		cfg.RunMain = tc.runMain
		p := e2etest.Start(t, "cache", cfg)
		if tc.upgrade {
			p.Upgrade()
		}
		if mb := e2etest.ResidentKB(p.Children()[0]) >> 10; mb < cacheMB {
			t.Errorf("%+v: the worker has %d MB, want %d and more", tc, mb, cacheMB)
		}
		mb := e2etest.ResidentKB(p.PID()) >> 10
		t.Logf("%+v: the master has %d MB", tc, mb)
		if small := mb < masterMB; small == tc.runMain {
			t.Errorf("%+v: the master has %d MB, want less than %d without RunMain alone", tc, mb, masterMB)
		}
	}
}

// masterMB is more than a master has, about 11, also under the race detector.
const masterMB = 40

// A port that main has opened before Listen is the worker's.
func TestPortBeforeListen(t *testing.T) {
	t.Parallel()
	addr := e2etest.FreeAddress(t)
	p := e2etest.Start(t, "metrics", quick, e2etest.FlagsEnv+"="+addr)
	resp, err := http.Get("http://" + addr)
	e2etest.NoError(t, err)
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if pid := fmt.Sprint(p.PID()); string(b) == pid {
		t.Errorf("the master, %s, answers on the port", pid)
	}
}

// What main has begun before Listen doesn't go on in the master.
func TestJobsEndWithMain(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "cron", quick)
	line := fmt.Sprintf("job in %d\n", p.PID())
	n := p.Log.Count(line)
	jobs := p.Log.Count("job in")
	p.WaitOutput("job in", jobs+10)
	if more := p.Log.Count(line); n == 0 || more != n {
		t.Errorf("the master has done %d jobs before Listen, and %d in all", n, more)
	}
}

// The master's directory, arguments, umask and environment are those of the start, and so
// are those of the workers.
func TestStateOfTheStart(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "own everything", quick)
	p.Reload()
	var starts []string
	for line := range strings.Lines(p.Log.String()) {
		if _, state, ok := strings.Cut(line, ": dir="); ok && strings.HasPrefix(line, "start of ") {
			starts = append(starts, state)
		}
	}
	for _, s := range starts {
		if s != starts[0] || len(starts) != 3 {
			t.Fatalf("main was started %d times, with %q", len(starts), starts)
		}
	}
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID()))
	if want, _ := os.Getwd(); err != nil || dir != want {
		t.Errorf("the master is in %s, %v; want %s", dir, err, want)
	}
}
