//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/reloadtest"
	"github.com/rota-go/rota/master"
)

// stuck is when to call something stuck. A slow machine makes a test slow, and
// doesn't break it.
const stuck = 20 * time.Second

// quick is a configuration in which reloads don't wait for a trial.
func quick(workers int) master.Config {
	return master.Config{Workers: workers, MinUptime: -1}
}

// process is a helper that runs: a master, most of the time.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	log   *logBuffer
	mark  string // in the environment of all that comes of it
	ended chan struct{}
	err   error // of Wait, after ended: all that had its output have ended too
}

// start runs a helper as a master and waits until its workers are ready. At the end
// of the test it is stopped, and nothing of it may be left.
func start(t testing.TB, helper string, cfg master.Config, env ...string) *process {
	t.Helper()
	p := launch(t, helper, cfg, env...)
	p.waitLog("worker ready", max(cfg.Workers, 1))
	return p
}

// launch runs a helper and waits for nothing.
func launch(t testing.TB, helper string, cfg master.Config, env ...string) *process {
	t.Helper()
	return run(t, command(t, helper, cfg, env...))
}

// launchExe is launch with an executable of its own.
func launchExe(t testing.TB, exe, helper string, cfg master.Config, env ...string) *process {
	t.Helper()
	cmd := command(t, helper, cfg, env...)
	cmd.Path, cmd.Args[0] = exe, exe
	return run(t, cmd)
}

// command is how to run a helper.
func command(t testing.TB, helper string, cfg master.Config, env ...string) *exec.Cmd {
	t.Helper()
	b, err := json.Marshal(exportable(cfg))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), "ROTA=on", helperEnv+"="+helper, configEnv+"="+string(b))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

var marks atomic.Int64

// run starts a command, which has an environment of its own, as a process.
func run(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	p := begin(t, cmd)
	t.Cleanup(p.cleanup)
	return p
}

// begin starts a command, with a mark of its own and, unless it has an output already, a
// log.
func begin(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, log: &logBuffer{}, ended: make(chan struct{})}
	p.mark = fmt.Sprintf("ROTA_E2E_MARK=%d.%d", os.Getpid(), marks.Add(1))
	cmd.Env = append(cmd.Env, p.mark)
	if cmd.Stdout == nil {
		cmd.Stdout, cmd.Stderr = p.log, p.log
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = cmd.Wait(); close(p.ended) }()
	return p
}

// exportable is cfg without what JSON can't say.
func exportable(cfg master.Config) map[string]any {
	return map[string]any{
		"Workers": cfg.Workers, "MinUptime": cfg.MinUptime, "Grace": cfg.Grace, "IdleGrace": cfg.IdleGrace,
		"KillAfter": cfg.KillAfter, "ReadyTimeout": cfg.ReadyTimeout, "Surge": cfg.Surge,
		"WaitReady": cfg.WaitReady, "Exec": cfg.Exec, "Args": cfg.Args, "Dir": cfg.Dir, "User": cfg.User,
		"PIDFile": cfg.PIDFile, "MaxAge": cfg.MaxAge, "MaxMemory": cfg.MaxMemory,
		"HealthInterval": cfg.HealthInterval, "HealthFailures": cfg.HealthFailures,
	}
}

func self(t testing.TB) string {
	path, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// pid is that of the master: of the one that took over last, after upgrades.
func (p *process) pid() int {
	all := tookOverPattern.FindAllStringSubmatch(p.log.String(), -1)
	if all == nil {
		return p.cmd.Process.Pid
	}
	pid, _ := strconv.Atoi(all[len(all)-1][1])
	return pid
}

// cleanup stops the process, whatever the test has left of it, and wants nothing of it
// to be left. The numbers of processes come again: one that has ended is sent nothing.
func (p *process) cleanup() {
	select {
	case <-p.ended:
	default:
		_ = syscall.Kill(p.pid(), syscall.SIGTERM)
	}
	select {
	case <-p.ended:
	case <-time.After(stuck):
		p.t.Errorf("process %d did not stop", p.pid())
		p.killAll()
		<-p.ended
	}
	p.leavesNothing()
}

// leavesNothing waits until all that came of the process is gone, and logs what it said
// if its test has failed.
func (p *process) leavesNothing() {
	for deadline := time.Now().Add(stuck); len(p.left()) > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Errorf("processes %v are left", p.left())
			p.killAll()
		}
	}
	if p.t.Failed() {
		p.t.Logf("log of process %d:\n%s", p.pid(), p.log)
	}
}

// left are the living processes that came of this one: masters, workers, and their
// children.
func (p *process) left() (pids []int) {
	if p.mark == "" {
		return nil // everybody has that in the environment
	}
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(p.mark+"\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func (p *process) killAll() {
	for _, pid := range p.left() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// signal sends a signal to the master.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(p.pid(), s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// wait waits for the end of the process and returns its status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(stuck):
		p.t.Fatalf("process %d does not end; log:\n%s", p.pid(), p.log)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// reload reloads, and waits until it is done.
func (p *process) reload() {
	p.t.Helper()
	done := p.log.Count("reload done")
	p.signal(syscall.SIGHUP)
	p.waitLog("reload done", done+1)
}

// waitLog waits for n lines of the log that contain text.
func (p *process) waitLog(text string, n int) {
	p.t.Helper()
	waitFor(p.t, fmt.Sprintf("%d lines with %q", n, text), func() bool { return p.log.Count(text) >= n },
		func() string { return p.log.String() })
}

var (
	addrPattern     = regexp.MustCompile(`worker ready .*on=\[([^ \]]+)`)
	tookOverPattern = regexp.MustCompile(`master took over pid=(\d+)`)
)

// addr is the address of the first worker's first socket.
func (p *process) addr() string {
	p.t.Helper()
	m := addrPattern.FindStringSubmatch(p.log.String())
	if m == nil {
		p.t.Fatalf("no address in the log:\n%s", p.log)
	}
	return m[1]
}

// living are the workers that are alive, as the kernel says: the master's children.
func (p *process) living() (pids []int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.pid(), p.pid()))
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.pid()))
	for _, task := range tasks {
		more, _ := os.ReadFile(task)
		b = append(append(b, ' '), more...)
	}
	seen := map[int]bool{}
	for _, f := range bytes.Fields(b) {
		pid, _ := strconv.Atoi(string(f))
		if !seen[pid] {
			seen[pid] = true
			pids = append(pids, pid)
		}
	}
	return pids
}

// standStill stops a process, and returns when it has: a stop takes effect some time
// after kill(2), and until then a thread may still take what comes.
func standStill(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, fmt.Sprintf("process %d to stand still", pid), func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, path := range threads {
			if b, err := os.ReadFile(path); err == nil && !strings.Contains(string(b), ") T ") {
				return false
			}
		}
		return len(threads) > 0
	})
}

// alive reports whether a process runs: not gone, and no zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// descriptors counts what a process has open.
func descriptors(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries)
}

// takesLong marks a test that takes ten seconds or so: -short leaves it out.
func takesLong(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long: run without -short")
	}
}

// waitFor waits for a condition, never for luck.
func waitFor(t testing.TB, what string, ok func() bool, more ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(stuck); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, m := range more {
				t.Log(m())
			}
			t.Fatalf("stuck: waited %v for %s", stuck, what)
		}
	}
}

// logBuffer is what a process and its workers have written.
type logBuffer struct{ reloadtest.Output }
