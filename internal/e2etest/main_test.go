//go:build linux

package e2etest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// config stands for a master's configuration.
type config struct {
	Workers int
	Text    string
	Func    func()
}

// given is the configuration of a helper, as setup has it.
var given config

func TestMain(m *testing.M) {
	os.Exit(Main(m, func(c config) error { given = c; return nil }, map[string]func(){
		"print":  func() { fmt.Println(given.Workers, given.Text, os.Getenv(FlagsEnv)) },
		"orphan": orphan,
		"web":    web,
	}))
}

// orphan starts a child and ends.
func orphan() { fmt.Println(exec.Command("sleep", "60").Start()) }

// web is a server without rota.
func web() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	fmt.Println(PlainReady(os.Getpid(), ln.Addr().String()), err)
	_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" {
			w.WriteHeader(http.StatusTeapot)
		}
		fmt.Fprintln(w, "generation 1")
	}))
}

// recorder is a test that a test of the harness expects to fail.
type recorder struct {
	testing.TB
	failed []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}
func (r *recorder) Error(args ...any) { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }
func (r *recorder) Failed() bool      { return len(r.failed) > 0 }

// failures returns what fails in f.
func failures(t *testing.T, f func(t testing.TB)) (all []string) {
	r := &recorder{TB: t}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
		all = r.failed
	}()
	f(r)
	return r.failed
}

func TestHelperGetsConfigurationAndFlags(t *testing.T) {
	p := Launch(t, "print", config{Workers: 3, Text: "some text"}, FlagsEnv+"=flags")
	if status := p.Wait(); status != 0 || p.Log.String() != "3 some text flags\n" {
		t.Errorf("status %d, output %q", status, p.Log)
	}
}

func TestFieldThatCannotBeEncodedFails(t *testing.T) {
	all := failures(t, func(t testing.TB) { Command(t, "print", config{Func: func() {}}) })
	if len(all) != 1 || !strings.Contains(all[0], "Func") {
		t.Errorf("failures %q, want one that names the field", all)
	}
}

func TestUnknownHelperFails(t *testing.T) {
	name := "no" + "such"
	if all := failures(t, func(t testing.TB) { Command(t, name, config{}) }); len(all) != 1 {
		t.Errorf("failures %q, want one", all)
	}
	cmd := exec.Command(Self(t))
	cmd.Env = append(os.Environ(), HelperEnv+"="+name)
	if p := Run(t, cmd); p.Wait() != 2 {
		t.Errorf("status %d, want 2", p.Wait())
	}
}

func TestUnusedHelperIsFound(t *testing.T) {
	dir := t.TempDir()
	source := "package x\nvar m = map[string]int{\"used\": 1, \"unused\": 2}\nvar _ = m[\"used\"]\n"
	NoError(t, os.WriteFile(filepath.Join(dir, "x_test.go"), []byte(source), 0o600))
	helpers := map[string]func(){"used": nil, "unused": nil}
	if got := unusedIn(dir, helpers); !slices.Equal(got, []string{"unused"}) {
		t.Errorf("unused helpers %q", got)
	}
	if got := unusedIn(t.TempDir(), helpers); got != nil {
		t.Errorf("without sources: %q", got)
	}
}

func TestLeftProcessesAreFoundByTheirMark(t *testing.T) {
	p := Begin(t, Command(t, "orphan", config{}))
	WaitFor(t, "the helper to end", func() bool { return !Alive(p.Cmd.Process.Pid) })
	left := p.left()
	if len(left) != 1 {
		t.Fatalf("processes %v are left, want the child", left)
	}
	p.killLeft()
	WaitFor(t, "the child to end", func() bool { return !Alive(left[0]) })
	<-p.Ended
}

// An empty mark is in the environment of every process.
func TestNoProcessHasTheEmptyMark(t *testing.T) {
	if pids := withMark(""); pids != nil {
		t.Errorf("processes %v", pids)
	}
}

func TestLoadCountsEveryRequest(t *testing.T) {
	p := Launch(t, "web", config{})
	p.WaitLog(WorkerReady, 1)
	l := StartLoad(p.Addr(), "/", 2)
	l.AddKeepAlive(p.Addr(), Get("/"), 2, 0)
	l.AnsweredBy(p, "/", 1)
	l.Goes(t, 10)
	if r := l.MustBeWhole(t); r.Answered < 10 || r.Generations != 1 {
		t.Errorf("%+v", r)
	}
	for what, l := range map[string]*Load{"status": StartLoad(p.Addr(), "/fail", 1), "refused": StartLoad(FreeAddress(t), "/", 1)} {
		WaitFor(t, "a failure", func() bool { return l.result().Failed > 0 })
		var r Result
		all := failures(t, func(t testing.TB) { r = l.MustBeWhole(t) })
		if len(all) != 2 || r.Answered != 0 || (r.Refused > 0) != (what == "refused") {
			t.Errorf("%s: %+v, failures %q", what, r, all)
		}
	}
}

func TestKeepAliveConnectionIsReplacedWhenTheServerEndsIt(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	NoError(t, err)
	srv := &http.Server{IdleTimeout: time.Millisecond}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "x") })
	l := StartKeepAlive(ln.Addr().String(), Get("/"), 2, 20*time.Millisecond)
	l.Goes(t, 6)
	l.MustBeWhole(t)
}

func TestStandStillStopsAllThreads(t *testing.T) {
	p := Launch(t, "web", config{})
	p.WaitLog(WorkerReady, 1)
	StandStill(t, p.PID())
	if !Alive(p.PID()) {
		t.Error("a stopped process counts as dead")
	}
	Kill(t, p.PID())
	p.Wait()
}
