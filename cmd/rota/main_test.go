//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/status"
)

func TestMain(m *testing.M) {
	status := e2etest.Main(m, rota.Setup, map[string]func(){"version": server.Version, "plain": plain, "line": line, "own-listener": ownListener, "healthy": healthy, "moves": moves})
	_ = os.RemoveAll(built.dir)
	os.Exit(status)
}

// service is a server with a control socket.
type service struct {
	*e2etest.Process
	t       *testing.T
	path    string
	release server.Release
}

func start(t *testing.T, change func(*master.Config)) *service {
	t.Helper()
	return startAs(t, "version", change)
}

// startAs starts a helper, with env in its environment.
func startAs(t *testing.T, helper string, change func(*master.Config), env ...string) *service {
	t.Helper()
	s := &service{t: t, path: filepath.Join(t.TempDir(), "rota.sock"), release: server.NewRelease(t, "good")}
	cfg := server.Quick(2)
	cfg.Control, cfg.Silent = s.path, true
	if change != nil {
		change(&cfg)
	}
	s.Process = e2etest.Start(t, helper, cfg, append(env, s.release.Flags)...)
	e2etest.WaitFor(t, "the control socket", func() bool { return e2etest.Exists(cfg.Control) })
	return s
}

// rota runs the command, and checks its exit status.
func (s *service) rota(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{args[0], "-socket", s.path}, args[1:]...)
	if got := run(args, &out, &errs, func(string) string { return "" }); got != want {
		s.t.Errorf("rota %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), got, want, &out, &errs)
	}
	return out.String(), errs.String()
}

func (s *service) status() (st status.Status) {
	s.t.Helper()
	out, _ := s.rota(done, "status", "-json")
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		s.t.Fatal(err)
	}
	return st
}

func contains(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

// A reload prints each slot and exits with 0. With a release that doesn't start it exits with 1
// and prints what the worker has written. No request fails meanwhile.
func TestReload(t *testing.T) {
	s := start(t, nil)
	l := e2etest.StartLoad(s.Addr(), "/", 4)
	if out, _ := s.rota(done, "history", "-json"); out != "[]\n" {
		t.Errorf("a history of nothing is %q", out)
	}
	out, _ := s.rota(done, "reload")
	contains(t, out, "slot 0: ", "slot 1: ", "has replaced the old one (2 of 2)")
	s.release.Write("exits")
	_, errs := s.rota(failed, "reload")
	contains(t, errs, "died: exit status 3", server.LastWords)
	s.release.Write("good")
	s.rota(done, "reload")
	l.MustBeWhole(t)
	out, _ = s.rota(done, "status")
	contains(t, out, "serving, generation 4", "listening", "tcp "+s.Addr(), "last reload: ", fmt.Sprint(" pid ", os.Getpid()))
	out, _ = s.rota(done, "history")
	contains(t, out, "reload to generation 2 by uid", "reload to generation 3", "died: exit status 3", "crash of worker")
}

// Every connection is counted once, by workers that serve, that drain and that have left, over
// reloads and an upgrade; no sum falls.
func TestCounters(t *testing.T) {
	s := start(t, nil)
	made, last := int64(0), status.Counters{}
	for _, change := range []string{"reload", "reload", "upgrade", "reload"} {
		for range 20 {
			_, err := e2etest.Request("tcp", s.Addr(), "/")
			e2etest.NoError(t, err)
			made++
		}
		n := s.status().Total
		if n.Accepted != made || last.Grow(n) != n {
			t.Errorf("%d connections are counted as %+v, and before as %+v", made, n, last)
		}
		last = n
		s.rota(done, change)
	}
	if n := s.status().Total; n.Accepted != made {
		t.Errorf("%d connections are counted as %+v", made, n)
	}
	out, _ := s.rota(done, "history")
	contains(t, out, "reload to generation 2", "reload to generation 5")
}

// What is left to the new master of an upgrade is neither done nor failed.
func TestLeft(t *testing.T) {
	var errs bytes.Buffer
	c := call{stderr: &errs}
	if got := c.end(control.Result{Code: control.Left, Error: "reload: left to the new master"}); got != running {
		t.Errorf("exit status %d, want %d", got, running)
	}
	contains(t, errs.String(), "rota: reload: left to the new master")
}

// What is still under way at the time-out goes on.
func TestTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *master.Config) {
		c.ReadyTimeout, c.KillAfter = master.NoLimit, 100*time.Millisecond
	})
	s.release.Write("hangs")
	_, errs := s.rota(running, "reload", "-timeout", "200ms")
	contains(t, errs, "it goes on")
	if st := s.status(); st.Next != 2 {
		t.Errorf("phase %s, next generation %d", st.Phase, st.Next)
	}
	s.release.Write("good")
	s.rota(done, "reload") // the one that hangs is superseded
}

// The number of workers, one worker, and the master are changed, by the command and by its
// result; a stop ends with the master.
func TestChanges(t *testing.T) {
	s := start(t, nil)
	s.rota(done, "scale", "3")
	s.WaitLog(e2etest.WorkerReady, 3)
	before := s.status()
	s.rota(done, "restart", "1")
	after := s.status()
	if len(before.Workers) != 3 || after.Slots()[1][len(after.Slots()[1])-1].ID != 4 {
		t.Errorf("before %+v\nafter %+v", before.Workers, after.Workers)
	}
	_, errs := s.rota(failed, "restart", "-id", "99")
	contains(t, errs, "no such worker")
	_, errs = s.rota(failed, "restart", "7")
	contains(t, errs, "restart slot 7: ")
	s.rota(done, "upgrade")
	up := s.status() // the path is the new master's
	if up.PID == before.PID || up.PID != s.PID() || up.Want != 3 {
		t.Errorf("after the upgrade: master %d, %d workers", up.PID, up.Want)
	}
	s.rota(done, "reload", "-wait=false")
	s.rota(done, "stop")
	e2etest.WaitFor(t, "the socket is removed", func() bool { _, err := os.Lstat(s.path); return err != nil })
	_, errs = s.rota(noMaster, "status")
	contains(t, errs, "no master")
}

// A master that is killed leaves a file, which the next one replaces; -pid finds it.
func TestSocketOfKilledMaster(t *testing.T) {
	s := start(t, nil)
	second := e2etest.Launch(t, "version", master.Config{Control: s.path}, s.release.Flags)
	second.WaitLog("rota: no control socket", 1)
	e2etest.Kill(t, s.PID())
	<-s.Ended
	third := e2etest.Start(t, "version", master.Config{Control: s.path}, s.release.Flags)
	var out, errs bytes.Buffer
	if got := run([]string{"status", "-pid", fmt.Sprint(third.PID())}, &out, &errs, func(string) string { return "" }); got != done {
		t.Errorf("exit status %d: %s", got, &errs)
	}
	contains(t, out.String(), fmt.Sprintf("master %d: serving", third.PID()))
}

// On a terminal a reload has a progress bar.
func TestTerminal(t *testing.T) {
	t.Parallel()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no script(1) to make a terminal with")
	}
	s := start(t, func(c *master.Config) { c.MinUptime = 200 * time.Millisecond })
	exe := e2etest.Build(t, ".")
	out, err := exec.Command(script, "-qec", "stty cols 80 rows 24; "+exe+" reload -socket "+s.path, "/dev/null").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	contains(t, string(out), "slots ", "of 2", "has replaced the old one")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		nil, {"halt"}, {"scale"}, {"scale", "0"}, {"scale", "x"}, {"scale", "1", "2"}, {"status", "x"},
		{"restart"}, {"restart", "-1"}, {"reload", "-x"}, {"reload", "-timeout", "soon"}, {"scale", "5000", "-socket", "x"},
	} {
		var out, errs bytes.Buffer
		if got := run(args, &out, &errs, func(string) string { return "" }); got != usage || errs.Len() == 0 {
			t.Errorf("%q: exit status %d, %q", args, got, &errs)
		}
	}
	var out, errs bytes.Buffer
	if got := run([]string{"help"}, &out, &errs, os.Getenv); got != done || !strings.Contains(out.String(), "Exit status") {
		t.Errorf("help: exit status %d", got)
	}
	if got := run([]string{"status"}, &out, &errs, func(string) string { return "" }); got != noMaster {
		t.Errorf("without a socket: exit status %d", got)
	}
}
