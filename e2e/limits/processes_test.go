//go:build linux

package limits

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// limited is a user that no other process has: RLIMIT_NPROC counts the threads of a user.
type limited int

func (uid limited) credential() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}

// threads returns how many threads the user has.
func (uid limited) threads() (n int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		var is syscall.Stat_t
		if syscall.Stat(dir, &is) == nil && is.Uid == uint32(uid) {
			n += threadsIn(dir)
		}
	}
	return n
}

func threadsIn(dir string) int {
	tasks, _ := os.ReadDir(dir + "/task")
	return len(tasks)
}

// limit lets the user of p have more threads than now, as far as the processes of p are
// concerned. Only that user, or one with CAP_SYS_RESOURCE, may say so.
func (uid limited) limit(p *e2etest.Process, more int) {
	p.TB().Helper()
	cmd := exec.Command("prlimit", fmt.Sprint("--pid=", p.PID()), fmt.Sprintf("--nproc=%d:", max(1, uid.threads()+more)))
	cmd.SysProcAttr = uid.credential()
	if out, err := cmd.CombinedOutput(); err != nil {
		p.TB().Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

// start starts a master of the user.
func (uid limited) start(t *testing.T, cfg master.Config) (*e2etest.Process, func(p *e2etest.Process, more int)) {
	t.Helper()
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip(err)
	}
	cmd := e2etest.Command(t, "serve", cfg)
	exe := elsewhere(t)
	cmd.Path, cmd.Args[0], cmd.Dir = exe, exe, "/"
	cmd.SysProcAttr = uid.credential()
	return e2etest.Run(t, cmd), uid.limit
}

// elsewhere copies the test binary to a folder that every user may read.
func elsewhere(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(e2etest.ShortDir(t), "e2e.test")
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	return exe
}

// startInGroup starts a master of root's in a cgroup of its own, whose workers are another
// user's.
func startInGroup(t *testing.T, cfg master.Config) (*e2etest.Process, func(p *e2etest.Process, more int)) {
	t.Helper()
	dir := fmt.Sprintf("/sys/fs/cgroup/pids/rota-e2e-%d", os.Getpid())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip("no cgroup of version 1 for processes can be made: ", err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	cfg.User, cfg.Exec = "nobody", elsewhere(t)
	p := e2etest.Launch(t, "serve", cfg)
	e2etest.NoError(t, os.WriteFile(dir+"/cgroup.procs", fmt.Append(nil, p.PID()), 0))
	return p, func(p *e2etest.Process, more int) {
		b, err := os.ReadFile(dir + "/pids.current")
		e2etest.NoError(p.TB(), err)
		n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		e2etest.NoError(p.TB(), os.WriteFile(dir+"/pids.max", fmt.Append(nil, max(1, n+more)), 0))
	}
}

// TestProcessLimit: where no process or thread more may be made, reloads and upgrades fail
// with an error that names the limits, crashed workers are started again when it is lifted,
// and the master lives: it has the threads that it needs.
func TestProcessLimit(t *testing.T) {
	e2etest.NeedRoot(t, "it starts processes of another user")
	e2etest.SkipShort(t)
	quick := server.Quick(2)
	confined := quick
	confined.NoNewPrivs = true
	for _, tc := range []struct {
		name  string
		cfg   master.Config
		start func(*testing.T, master.Config) (*e2etest.Process, func(p *e2etest.Process, more int))
	}{{"user", quick, limited(54_321).start}, {"confined", confined, limited(54_322).start}, {"cgroup", quick, startInGroup}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, limit := tc.start(t, tc.cfg)
			p.WaitLog(e2etest.WorkerReady, 2)
			load := e2etest.StartLoad(p.Addr(), "/", 2)
			load.Goes(t, 1000) // the workers have the threads that they need
			for i := range 27 {
				limit(p, i%5)
				reloadAtLimit(t, p, i+1)
			}
			if !strings.Contains(p.Log.String(), "RLIMIT_NPROC, pids.max") {
				t.Errorf("no error names the limits:\n%s", p.Log)
			}
			limit(p, 0)
			p.Signal(syscall.SIGUSR2)
			p.WaitLog(e2etest.UpgradeFailed, 1)
			load.Goes(t, 100)
			load.End() // a worker that needs a thread more dies, with its requests
			limit(p, 1000)
			p.Reload()
			crashAtLimit(t, p, limit)
		})
	}
}

// reloadAtLimit reloads for the nth time.
func reloadAtLimit(t *testing.T, p *e2etest.Process, n int) {
	t.Helper()
	p.Signal(syscall.SIGHUP)
	pid := p.Cmd.Process.Pid
	e2etest.WaitFor(t, fmt.Sprintf("the end of reload %d", n), func() bool {
		return p.Logged(e2etest.ReloadFailed)+p.Logged(e2etest.ReloadDone) == n || !e2etest.Alive(pid)
	}, p.Log.String)
	if !e2etest.Alive(pid) {
		t.Fatalf("the master has died at reload %d:\n%.3000s", n, p.Log)
	}
}

// newest matches the line of a worker that has become ready.
var newest = regexp.MustCompile(string(e2etest.WorkerReady) + ` worker=\d+ pid=(\d+)`)

// crashAtLimit kills a worker whose successor can't be started until the limit is lifted: the
// newest, as workers of generations before may drain yet, and their end is no crash. Meanwhile
// the other worker may die too, where the limit is its own as well and it needs a thread more.
func crashAtLimit(t *testing.T, p *e2etest.Process, limit func(*e2etest.Process, int)) {
	t.Helper()
	all := newest.FindAllStringSubmatch(p.Log.String(), -1)
	pid, err := strconv.Atoi(all[len(all)-1][1])
	e2etest.NoError(t, err)
	died := p.Logged(e2etest.WorkerDied)
	limit(p, -10_000) // none
	e2etest.Kill(t, pid)
	p.WaitLog(e2etest.WorkerDied, died+2)
	if !e2etest.Alive(p.PID()) {
		t.Fatalf("the master has died:\n%.3000s", p.Log)
	}
	ready := p.Logged(e2etest.WorkerReady)
	limit(p, 1000)
	p.WaitLog(e2etest.WorkerReady, ready+1)
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Error(err)
	}
}
