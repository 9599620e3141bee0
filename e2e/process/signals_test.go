//go:build linux

package process

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// SIGHUP to a worker has no effect while it starts, from the initialisation of the packages
// that import rota on: "pkill -HUP" and "systemctl kill -s HUP" reach it too.
func TestHangupWhileStarting(t *testing.T) {
	for _, helper := range []string{"slow init", "slow main"} {
		t.Run(helper, func(t *testing.T) {
			t.Parallel()
			p := startSlow(t, helper, server.Quick(1))
			worker := starting(t, p, 1)
			for range 10 {
				e2etest.NoError(t, syscall.Kill(worker, syscall.SIGHUP))
			}
			p.goOn(1)
			p.WaitLog(e2etest.WorkerReady, 1)
			if died := p.Logged(e2etest.WorkerDied); died > 0 {
				t.Errorf("%d workers died", died)
			}
		})
	}
}

// SIGTERM ends a worker that has not called Listen: it has nothing to drain. Another is
// started in its slot.
func TestTermWhileStarting(t *testing.T) {
	t.Parallel()
	p := startSlow(t, "slow main", server.Quick(1))
	first := starting(t, p, 1)
	p.goOn(1)
	p.WaitLog(e2etest.WorkerReady, 1)
	e2etest.Kill(t, first)
	e2etest.NoError(t, syscall.Kill(starting(t, p, 2), syscall.SIGTERM))
	starting(t, p, 3)
	p.goOn(3)
	p.WaitLog(e2etest.WorkerReady, 2)
	if !p.LoggedTogether(e2etest.WorkerDied.OfWorker(2), e2etest.EndedByTERM) {
		t.Errorf("the second worker did not end by SIGTERM")
	}
}

// The umask around a Listen of a unix socket decides the mode of its file and nothing else:
// the workers' umask is the one of the start, in the first Listen as in the second.
func TestUmaskAroundListen(t *testing.T) {
	for _, helper := range []string{"umask first", "umask second"} {
		t.Run(helper, func(t *testing.T) {
			path := filepath.Join(e2etest.ShortDir(t), "s")
			old := syscall.Umask(0o027)
			p := e2etest.Launch(t, helper, master.Config{}, e2etest.FlagsEnv+"="+path)
			syscall.Umask(old)
			p.WaitLog(e2etest.WorkerReady, 1)
			info, err := os.Stat(path)
			e2etest.NoError(t, err)
			if mode := info.Mode().Perm(); mode != 0o777 {
				t.Errorf("the socket's mode is %o, want 777", mode)
			}
			for _, pid := range append(p.Children(), p.PID()) {
				if got := statusOf(t, pid, "Umask"); got != "0027" {
					t.Errorf("the umask of process %d (master %d) is %s, want 0027", pid, p.PID(), got)
				}
			}
		})
	}
}

// slow is a program whose workers wait in their start.
type slow struct {
	*e2etest.Process
	dir string
}

// startSlow starts a helper, each worker of which waits for goOn.
func startSlow(t *testing.T, helper string, cfg master.Config) slow {
	t.Helper()
	dir := t.TempDir()
	return slow{e2etest.Launch(t, helper, cfg, e2etest.FlagsEnv+"="+dir), dir}
}

// starting waits until the worker with that id waits in its start, and returns its pid.
func starting(t *testing.T, p slow, id int) int {
	t.Helper()
	path := filepath.Join(p.dir, "waits"+string(rune('0'+id)))
	e2etest.WaitFor(t, path, func() bool { return e2etest.Exists(path) }, p.Log.String)
	all := p.Children()
	if len(all) != 1 {
		t.Fatalf("the master has the children %v", all)
	}
	return all[0]
}

// goOn lets the worker with that id start.
func (p slow) goOn(id int) {
	e2etest.NoError(p.TB(), os.WriteFile(filepath.Join(p.dir, "go"+string(rune('0'+id))), nil, 0o644))
}

// statusOf returns a field of /proc/pid/status.
func statusOf(t *testing.T, pid int, field string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "status"))
	e2etest.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("/proc/%d/status has no %s", pid, field)
	return ""
}
