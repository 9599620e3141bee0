//go:build linux

package operations

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// during calls f at each interval, for the time total.
func during(total, every time.Duration, f func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(total); time.Now().Before(end); <-tick.C {
		f()
	}
}

func TestReloadEvery100ms(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	l.AddKeepAlive(p.Addr(), e2etest.Get("/"), 8, 0)
	during(e2etest.Duration(20*time.Second, 2*time.Second), 100*time.Millisecond, func() { p.Signal(syscall.SIGHUP) })
	p.WaitIdle(2)
	l.MustBeWhole(t)
	t.Logf("%d reloads", p.Logged(e2etest.ReloadDone))
}

func TestReloadEveryMillisecond(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	during(time.Second, time.Millisecond, func() { p.Signal(syscall.SIGHUP) })
	p.WaitIdle(2)
	l.MustBeWhole(t)
	t.Logf("%d reloads", p.Logged(e2etest.ReloadDone))
}

// Random signals cost no request. Those that reach a master that is leaving have no effect.
func TestRandomSignals(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	l.AddKeepAlive(p.Addr(), e2etest.Get("/"), 8, 0)
	orders := []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU}
	during(e2etest.Duration(30*time.Second, 3*time.Second), 150*time.Millisecond, func() {
		_ = syscall.Kill(p.PID(), orders[rand.IntN(len(orders))])
	})
	p.WaitUpgrades()
	p.Reload()
	l.MustBeWhole(t)
	t.Logf("%d reloads, %d upgrades", p.Logged(e2etest.ReloadDone), p.Logged(e2etest.TookOver))
}

func TestWorkersKilledDuringReloads(t *testing.T) {
	const workers, clients = 2, 8
	p := e2etest.Start(t, "serve", server.Quick(workers))
	l := e2etest.StartLoad(p.Addr(), "/", clients)
	kills := 0
	during(e2etest.Duration(10*time.Second, 2*time.Second), 200*time.Millisecond, func() {
		if all := p.Children(); len(all) > 0 {
			_ = syscall.Kill(all[rand.IntN(len(all))], syscall.SIGKILL) // it may be leaving
			kills++
		}
		p.Signal(syscall.SIGHUP)
	})
	r := l.End()
	t.Log(r, "after", kills, "kills")
	if r.Refused > 0 || r.Failed > kills*clients {
		t.Errorf("%d refused, %d failed: the workers that were killed had at most %d", r.Refused, r.Failed, kills*clients)
	}
	p.Reload()
}

func TestSurge(t *testing.T) {
	const workers = 4
	cfg := server.Quick(workers)
	cfg.Surge = workers
	p := e2etest.Start(t, "serve", cfg)
	l := e2etest.StartLoad(p.Addr(), "/", 16)
	for range 5 {
		p.Reload()
	}
	p.WaitChildren(workers)
	l.MustBeWhole(t)
}

// Reloads and upgrades follow the symbolic link of a deployment to the next release and
// back.
func TestSymlinkSwitch(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		e2etest.CopyFile(t, e2etest.Self(t), filepath.Join(dir, name, "server"))
	}
	point := func(name string) {
		temp := filepath.Join(dir, "next")
		if err := os.Symlink(name, temp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, filepath.Join(dir, "current")); err != nil {
			t.Fatal(err)
		}
	}
	point("one")
	p := e2etest.StartExe(t, filepath.Join(dir, "current", "server"), "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	for i := range 6 {
		name := []string{"two", "one"}[i%2]
		point(name)
		if i%3 == 2 {
			p.Upgrade()
		} else {
			p.Reload()
		}
		p.WaitChildren(2)
		for _, pid := range p.Children() {
			if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); filepath.Base(filepath.Dir(exe)) != name {
				t.Errorf("worker %d runs %s, want release %s", pid, exe, name)
			}
		}
	}
	l.MustBeWhole(t)
}

// After a crash the master starts the executable of the worker's generation, whatever is on
// disk now, and under its name.
func TestCrashIsRespawnedFromItsOwnRelease(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, exe string)
	}{
		{"replaced by garbage", func(t *testing.T, exe string) { e2etest.ReplaceFile(t, exe, "garbage", 0o755) }},
		{"removed", func(t *testing.T, exe string) { e2etest.NoError(t, os.Remove(exe)) }},
		{"folder removed", func(t *testing.T, exe string) { e2etest.NoError(t, os.RemoveAll(filepath.Dir(exe))) }},
		{"not executable", func(t *testing.T, exe string) { e2etest.ReplaceFile(t, exe, "#!/bin/sh\n", 0o644) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "release", "server")
			e2etest.NoError(t, os.Mkdir(filepath.Dir(exe), 0o755))
			e2etest.CopyFile(t, e2etest.Self(t), exe)
			cfg := server.Quick(1)
			cfg.Dir = "/"
			p := e2etest.StartExe(t, exe, "operated", cfg)
			tc.spoil(t, exe)
			e2etest.Kill(t, p.Children()[0])
			p.WaitLog(e2etest.WorkerReady, 2)
			name, err := e2etest.Request("tcp", p.Addr(), "/name")
			if err != nil || strings.TrimSpace(name) != "server" {
				t.Errorf("ps shows %q, %v; want server", name, err)
			}
		})
	}
}

// If the working directory was removed, workers still start in it. A new master can't, and
// the old one logs the reason.
func TestWorkingDirectoryIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "release")
	e2etest.NoError(t, os.Mkdir(dir, 0o755))
	cmd := e2etest.Command(t, "serve", server.Quick(2))
	cmd.Dir = dir
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 2)
	e2etest.NoError(t, os.Remove(dir))
	e2etest.Kill(t, p.Children()[0])
	p.WaitLog(e2etest.WorkerReady, 3)
	p.Reload()
	p.Reload()
	p.WaitChildren(2)
	if p.LoggedTogether(e2etest.WorkerDied, e2etest.WorkerNotStarted) {
		t.Errorf("a worker could not be started:\n%s", p.Log)
	}
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.UpgradeFailed, 1)
	if !p.LoggedTogether(e2etest.UpgradeFailed, e2etest.NoWorkingDirectory(dir)) {
		t.Errorf("the log doesn't say why:\n%s", p.Log)
	}
}

// A reload to an executable that can't be started fails and logs the reason. The service
// goes on, and the next good executable is used.
func TestReleaseThatCannotBeStarted(t *testing.T) {
	for _, tc := range []struct {
		name  string
		why   e2etest.Line
		spoil func(t *testing.T, exe string) (undo func())
	}{
		{"half written", e2etest.ReloadFailed, func(t *testing.T, exe string) func() {
			b, err := os.ReadFile(e2etest.Self(t))
			e2etest.NoError(t, err)
			e2etest.ReplaceFile(t, exe, string(b[:len(b)/3]), 0o755)
			return nil
		}},
		{"garbage", e2etest.NotExecutable, func(t *testing.T, exe string) func() {
			e2etest.ReplaceFile(t, exe, "garbage", 0o755)
			return nil
		}},
		{"no execute bit", e2etest.PermissionDenied, func(t *testing.T, exe string) func() {
			e2etest.ReplaceFile(t, exe, "garbage", 0o644)
			return nil
		}},
		{"removed", e2etest.NoSuchFile, func(t *testing.T, exe string) func() {
			e2etest.NoError(t, os.Remove(exe))
			return nil
		}},
		{"folder removed", e2etest.NoSuchFile, func(t *testing.T, exe string) func() {
			e2etest.NoError(t, os.RemoveAll(filepath.Dir(exe)))
			return func() { e2etest.NoError(t, os.Mkdir(filepath.Dir(exe), 0o755)) }
		}},
		{"text busy", e2etest.TextFileBusy, func(t *testing.T, exe string) func() {
			e2etest.ReplaceFile(t, exe, "", 0o755)
			f, err := os.OpenFile(exe, os.O_WRONLY, 0)
			e2etest.NoError(t, err)
			b, err := os.ReadFile(e2etest.Self(t))
			e2etest.NoError(t, err)
			_, err = f.Write(b)
			e2etest.NoError(t, err)
			return func() { e2etest.NoError(t, f.Close()); e2etest.NoError(t, os.Remove(exe)) }
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "release", "server")
			e2etest.NoError(t, os.Mkdir(filepath.Dir(exe), 0o755))
			e2etest.CopyFile(t, e2etest.Self(t), exe)
			cfg := server.Quick(2)
			cfg.Dir = "/"
			p := e2etest.StartExe(t, exe, "serve", cfg)
			l := e2etest.StartLoad(p.Addr(), "/", 8)
			undo := tc.spoil(t, exe)
			p.Signal(syscall.SIGHUP)
			p.WaitLog(e2etest.ReloadFailed, 1)
			if !p.LoggedTogether(e2etest.ReloadFailed, tc.why) {
				t.Errorf("the log doesn't say %q:\n%s", tc.why, p.Log)
			}
			if undo != nil {
				undo()
			}
			e2etest.CopyFile(t, e2etest.Self(t), exe+".new")
			e2etest.NoError(t, os.Rename(exe+".new", exe))
			p.Reload()
			l.MustBeWhole(t)
		})
	}
}

// A worker that drains a long download delays no later reload.
func TestDownloadOutlivesReloads(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	p := e2etest.Start(t, "operated", server.Quick(1))
	seconds := int(e2etest.Duration(20*time.Second, 3*time.Second) / time.Second)
	type result struct {
		body string
		err  error
	}
	done := make(chan result, 1)
	begun := time.Now()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // it would be waited for
	go func() {
		resp, err := client.Get(fmt.Sprintf("http://%s/download?seconds=%d", p.Addr(), seconds))
		if err != nil {
			done <- result{"", err}
			return
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		done <- result{b.String(), err}
	}()
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	time.Sleep(200 * time.Millisecond) // into the download
	for range 3 {
		p.Reload()
	}
	reloaded := time.Since(begun)
	r := <-done
	if r.err != nil || len(r.body) != seconds*10*1024 {
		t.Errorf("the download: %d of %d bytes, %v", len(r.body), seconds*10*1024, r.err)
	}
	if reloaded > time.Duration(seconds)*time.Second {
		t.Errorf("three reloads took %v: they have waited for the download", reloaded)
	}
	p.WaitChildren(1)
	l.MustBeWhole(t)
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(2)
	cfg.MaxAge = time.Second
	p := e2etest.Start(t, "serve", cfg)
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	p.WaitLog(e2etest.WorkerLeft, 4)
	l.MustBeWhole(t)
	if n := p.Logged(e2etest.OfGeneration(2)); n > 0 {
		t.Errorf("a recycled worker is of another generation:\n%s", p.Log)
	}
}

func TestMaxMemory(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.MaxMemory = 100 << 20
	p := e2etest.Start(t, "operated", cfg)
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	for range 2 {
		if _, err := e2etest.Request("tcp", p.Addr(), "/grow"); err != nil {
			t.Fatal(err)
		}
	}
	p.WaitLog(e2etest.WorkerTooLarge.OfWorker(1), 1)
	p.WaitLog(e2etest.WorkerLeft.OfWorker(1), 1)
	l.MustBeWhole(t)
	if n := p.Logged(e2etest.WorkerTooLarge); n != 1 {
		t.Errorf("%d workers used too much, want 1", n)
	}
}

func TestUnhealthyWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(2)
	cfg.HealthInterval, cfg.HealthFailures = 500*time.Millisecond, 3
	p := e2etest.Start(t, "operated", cfg)
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	if _, err := e2etest.Request("tcp", p.Addr(), "/ill"); err != nil {
		t.Fatal(err)
	}
	p.WaitLog(e2etest.WorkerLeft, 1)
	l.MustBeWhole(t)
	if !p.LoggedTogether(e2etest.WorkerUnwell, e2etest.HealthFailures(3), databaseGone) {
		t.Errorf("the log doesn't say so:\n%s", p.Log)
	}
	if n := p.Logged(e2etest.WorkerReplaced); n != 1 {
		t.Errorf("%d workers were replaced, want the ill one", n)
	}
}

// A stopped worker doesn't answer health checks. It is replaced, and ends by SIGKILL.
func TestWorkerThatDoesNotAnswerIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(2)
	cfg.HealthInterval, cfg.Grace, cfg.KillAfter = 500*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	p := e2etest.Start(t, "operated", cfg)
	victim := p.Children()[0]
	e2etest.StandStill(t, victim)
	p.WaitLog(e2etest.WorkerReady, 3)
	e2etest.WaitFor(t, "the hung worker to be gone", func() bool { return !e2etest.Alive(victim) })
	if n := p.Logged(e2etest.UnwellPID(victim)); n != 3 || p.Logged(e2etest.NoHealthAnswer) < n {
		t.Errorf("%d questions without an answer, want 3:\n%s", n, p.Log)
	}
}

// BenchmarkReloadLatency measures from SIGHUP to the end of the reload, without a trial.
func BenchmarkReloadLatency(b *testing.B) {
	for _, tc := range []struct {
		workers int
		want    time.Duration
	}{{1, 60 * time.Millisecond}, {8, 250 * time.Millisecond}} {
		b.Run(fmt.Sprint(tc.workers), func(b *testing.B) {
			cfg := server.Quick(tc.workers)
			cfg.Surge = tc.workers
			p := e2etest.Start(b, "serve", cfg)
			var took []float64
			for range 50 * b.N {
				begun := time.Now()
				p.Reload()
				took = append(took, time.Since(begun).Seconds()*1000)
				p.WaitChildren(tc.workers)
			}
			b.ReportMetric(e2etest.Median(took), "median-ms")
			b.Logf("%d workers: median %.0f ms, best %.0f, worst %.0f (want at most %v)",
				tc.workers, e2etest.Median(took), slices.Min(took), slices.Max(took), tc.want)
		})
	}
}

// After many reloads and upgrades the master has no more descriptors, goroutines and memory
// than at the start, and no zombies.
func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "m")
	p := e2etest.Start(t, "observed", server.Quick(2), e2etest.FlagsEnv+"="+base)
	p.Upgrade() // the first opens what stays open
	p.Reload()
	p.WaitIdle(2)
	before := footprintOf(p, base)
	for range e2etest.Times(200, 20) {
		p.Reload()
	}
	for range e2etest.Times(20, 3) {
		p.Upgrade()
	}
	p.Reload()
	p.WaitIdle(2)
	after := before
	e2etest.WaitFor(t, fmt.Sprintf("the master to be as at the start: %+v", before), func() bool {
		after = footprintOf(p, base)
		return after.files <= before.files && after.goroutines <= before.goroutines
	}, func() string { return fmt.Sprintf("%+v", after) })
	t.Logf("before %+v, after %+v", before, after)
	if after.rss > before.rss*11/10 {
		t.Errorf("memory has grown from %d to %d KB", before.rss, after.rss)
	}
	if n := e2etest.Zombies(p.PID()); n > 0 {
		t.Errorf("%d zombies", n)
	}
}

type footprint struct{ files, goroutines, rss int }

func footprintOf(p *e2etest.Process, base string) footprint {
	n := goroutines(fmt.Sprintf("%s.%d", base, p.PID()))
	return footprint{e2etest.Descriptors(p.PID()), n, e2etest.ResidentKB(p.PID())}
}
