//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/reload"
)

// who is the message of helper say-who.
type who struct {
	Args                 []string
	Dir, Env, Extra      string
	ID, Slot, Generation int
	Master, Worker       bool
}

func whoIs(t *testing.T, w *master.Worker) (x who) {
	t.Helper()
	if err := json.Unmarshal([]byte(e2etest.Await(t, "the worker", inbox(w))), &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// pipeWith returns an open file from which text can be read.
func pipeWith(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, text)
	w.Close()
	t.Cleanup(func() { r.Close() })
	return r
}

func TestWorkerIsStartedAsConfigured(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, "say-who", func(cfg *master.Config) {
		cfg.Args = []string{"--use", "https"}
		cfg.Dir = dir
		cfg.ExtraFiles = []*os.File{pipeWith(t, "three "), pipeWith(t, "four")}
		cfg.Silent = true
	})
	w := c.fork(map[string]string{"ROTA_E2E_OWN": "fork's"})
	stdout, stderr := readAll(t, w.Stdout()), readAll(t, w.Stderr())
	x := whoIs(t, w)
	want := who{Args: []string{"--use", "https"}, Dir: dir, Env: "fork's", Extra: "three four", ID: 1, Worker: true}
	if fmt.Sprint(x) != fmt.Sprint(want) {
		t.Errorf("worker says %+v, want %+v", x, want)
	}
	if x.ID != w.ID() || x.Slot != w.Slot() || x.Generation != w.Generation() || w.Process() == nil {
		t.Errorf("worker says %+v, master %d, %d, %d", x, w.ID(), w.Slot(), w.Generation())
	}
	c.disconnect()
	if s := e2etest.Await(t, "stdout", stdout); s != "this is stdout\n" {
		t.Errorf("stdout: %q", s)
	}
	if s := e2etest.Await(t, "stderr", stderr); s != "this is stderr\n" {
		t.Errorf("stderr: %q", s)
	}
}

// Setup changes only later forks. It is an event, and Settings returns its configuration.
func TestSetupIsForLaterForks(t *testing.T) {
	c := newCluster(t, "say-who")
	var all eventLog
	c.Subscribe(master.Events{Setup: func(cfg master.Config) { all.add(fmt.Sprint(cfg.Args)) }})
	first := c.fork(nil)
	cfg := c.Settings()
	cfg.Args = []string{"--second"}
	if err := c.Setup(cfg); err != nil {
		t.Fatal(err)
	}
	if got := c.Settings().Args; len(got) != 1 || got[0] != "--second" {
		t.Errorf("Settings: %v", got)
	}
	second := c.fork(nil)
	if x, y := whoIs(t, first), whoIs(t, second); len(x.Args) != 0 || len(y.Args) != 1 {
		t.Errorf("the first was started with %v, the second with %v", x.Args, y.Args)
	}
	if first.Stdout() != nil || first.Stderr() != nil {
		t.Error("a worker that is not silent has a Stdout")
	}
	e2etest.WaitFor(t, "two setup events", func() bool { return len(all.get()) == 2 })
	if got := fmt.Sprint(all.get()); got != "[[] [--second]]" {
		t.Errorf("setup events %v", got)
	}
}

// A silent worker whose output nobody reads goes on. The newest 64 KB or so are kept.
func TestOutputNobodyReadsIsBounded(t *testing.T) {
	c := newCluster(t, "chatter", func(cfg *master.Config) { cfg.Silent = true })
	w := c.fork(nil)
	e2etest.Await(t, "the worker to have written two megabytes", inbox(w))
	c.disconnect()
	rest := e2etest.Await(t, "the rest of stdout", readAll(t, w.Stdout()))
	if !strings.HasSuffix(rest, "x\n") || len(rest) > 256<<10 || len(rest) < 32<<10 {
		t.Errorf("%d bytes of output were kept, want the newest 64 KB or so", len(rest))
	}
	if s := e2etest.Await(t, "stderr", readAll(t, w.Stderr())); s != "the last line\n" {
		t.Errorf("stderr: %q", s)
	}
}

// A program that reads the output of a silent worker gets all of it.
func TestOutputIsReadWhole(t *testing.T) {
	c := newCluster(t, "chatter", func(cfg *master.Config) { cfg.Silent = true })
	w := c.fork(nil)
	all := readAll(t, w.Stdout())
	e2etest.Await(t, "the worker to have written", inbox(w))
	c.disconnect()
	if s := e2etest.Await(t, "all of stdout", all); len(s) != 2_000_000 {
		t.Errorf("%d bytes were read, want 2,000,000", len(s))
	}
}

// The error of a reload has the last output of the silent worker that made it fail.
func TestReloadErrorHasTheWorkersOutput(t *testing.T) {
	d := server.NewRelease(t, "good")
	c := newCluster(t, "version", func(cfg *master.Config) {
		cfg.Silent = true
		cfg.MinUptime = -1
		env := cfg.Env
		cfg.Env = func() []string { return append(env(), d.Flags) }
	})
	listening := make(chan master.Address, 1)
	c.Subscribe(master.Events{Listening: func(_ *master.Worker, a master.Address) { listening <- a }})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	e2etest.Await(t, "the first worker to listen", listening)
	d.Write("exits")
	var why *reload.Error
	if err := c.Reload(ctx); !errors.As(err, &why) || why.Stderr != server.LastWords {
		t.Errorf("%v, want it to contain the worker's last line", err)
	}
	stop()
	if err := e2etest.Await(t, "Run", ended); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// Fork returns a worker that can't be started. The worker has one Exit, with the reason.
func TestWorkerThatCannotStartHasOneExit(t *testing.T) {
	for name, change := range map[string]func(*master.Config){
		"executable": func(cfg *master.Config) { cfg.Exec = "/no/such/executable" },
		"directory":  func(cfg *master.Config) { cfg.Dir = "/no/such/directory" },
		"permission": func(cfg *master.Config) { cfg.Exec = os.DevNull },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "echo", change)
			exits := make(chan master.Exit, 10)
			c.Subscribe(master.Events{Exit: func(_ *master.Worker, x master.Exit) { exits <- x }})
			w := c.fork(nil)
			gone(t, w)
			x := e2etest.Await(t, "the exit", exits)
			if x.Err == nil || x.Code != 0 || x.Signal != nil || !strings.Contains(x.Err.Error(), "/") {
				t.Errorf("%+v: want an error that names the path", x)
			}
			if name != "permission" && !errors.Is(x.Err, syscall.ENOENT) {
				t.Errorf("%v, want ENOENT", x.Err)
			}
			if !w.IsDead() || w.Process() != nil || w.Send("x") == nil {
				t.Errorf("dead %v, process %v", w.IsDead(), w.Process())
			}
			_ = c.Close()
			if len(exits) > 0 {
				t.Errorf("%d more exits", len(exits))
			}
		})
	}
}

// Without free descriptors, in a process of its own, each worker that can't be started has
// its Exit, and those that run are not affected.
func TestForkWithoutDescriptorsFails(t *testing.T) {
	p := e2etest.Launch(t, "few-files", master.Config{})
	if status := p.Wait(); status != 0 || !strings.Contains(p.Log.String(), "all is well") {
		t.Errorf("exit status %d:\n%s", status, p.Log)
	}
}

// fewFiles is a master that runs out of descriptors.
func fewFiles() {
	m, err := master.New(master.Config{Exec: os.Args[0], Env: func() []string {
		return append(os.Environ(), e2etest.HelperEnv+"=echo")
	}})
	check(err)
	exits, echoes := make(chan error, 1000), make(chan string, 10)
	m.Subscribe(master.Events{
		Exit:    func(_ *master.Worker, x master.Exit) { exits <- x.Err },
		Message: func(_ *master.Worker, msg ipc.Message) { echoes <- msg.String() },
	})
	first, err := m.Fork(nil)
	check(err)
	check(first.Send("before"))
	fmt.Println(<-echoes)
	check(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 30, Max: 30}))
	failed := 0
	for failed < 20 {
		w, err := m.Fork(nil)
		check(err)
		if w.IsDead() {
			failed++
			if err := <-exits; !errors.Is(err, syscall.EMFILE) {
				check(fmt.Errorf("want EMFILE: %w", err))
			}
		}
	}
	check(first.Send("after"))
	fmt.Println(<-echoes)
	check(m.Close())
	fmt.Println("all is well")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
