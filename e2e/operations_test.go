//go:build linux

package e2e

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

	"github.com/rota-go/rota/master"
)

// What an operator may do to a running service, at any moment and twice at once. Each
// test runs for a few seconds; with ROTA_E2E_LONG=1 as long as docs/operations.md says.

// long is the full length of a test, or a short one.
func long(full, short time.Duration) time.Duration {
	if os.Getenv("ROTA_E2E_LONG") != "" {
		return full
	}
	return short
}

func longTimes(full, short int) int { return int(long(time.Duration(full), time.Duration(short))) }

// during calls f every so often for a time.
func during(total, every time.Duration, f func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(total); time.Now().Before(end); <-tick.C {
		f()
	}
}

// idle waits until no reload is under way or waiting, and n workers are left.
func (p *process) idle(n int) {
	p.t.Helper()
	waitFor(p.t, "the last reload", func() bool {
		begun := p.log.Count("rota: reload generation=")
		return begun == p.log.Count("rota: reload done")+p.log.Count("rota: reload failed")
	}, p.log.String)
	p.settled(n)
}

func TestReloadEvery100ms(t *testing.T) {
	p := start(t, "serve", quick(2))
	l := startLoad(p.addr(), "/", 16)
	l.keepAliveLoops(8)
	during(long(20*time.Second, 2*time.Second), 100*time.Millisecond, func() { p.signal(syscall.SIGHUP) })
	p.idle(2)
	l.mustBeWhole(t)
	t.Logf("%d reloads", p.log.Count("reload done"))
}

func TestHangupStorm(t *testing.T) {
	p := start(t, "serve", quick(2))
	l := startLoad(p.addr(), "/", 16)
	during(time.Second, time.Millisecond, func() { p.signal(syscall.SIGHUP) })
	p.idle(2)
	l.mustBeWhole(t)
	t.Logf("%d reloads", p.log.Count("reload done"))
}

// Every order at random. Signals that find the master on its way out are for nobody,
// as those that come when it is gone.
func TestOrdersAtRandom(t *testing.T) {
	p := start(t, "serve", quick(2))
	l := startLoad(p.addr(), "/", 16)
	l.keepAliveLoops(8)
	orders := []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU}
	during(long(30*time.Second, 3*time.Second), 150*time.Millisecond, func() {
		_ = syscall.Kill(p.pid(), orders[rand.IntN(len(orders))])
	})
	p.quiet()
	p.reload()
	l.mustBeWhole(t)
	t.Logf("%d reloads, %d upgrades", p.log.Count("reload done"), p.log.Count("took over"))
}

// quiet waits until the upgrades that were asked for have happened.
func (p *process) quiet() {
	p.t.Helper()
	waitFor(p.t, "the last upgrade", func() bool {
		begun := 0
		for _, line := range strings.Split(p.log.String(), "\n") {
			if strings.HasSuffix(line, "rota: upgrade") {
				begun++
			}
		}
		return begun == p.log.Count("took over")+p.log.Count("upgrade failed")
	}, p.log.String)
}

func TestWorkersKilledDuringReloads(t *testing.T) {
	const workers, clients = 2, 8
	p := start(t, "serve", quick(workers))
	l := startLoad(p.addr(), "/", clients)
	kills := 0
	during(long(10*time.Second, 2*time.Second), 200*time.Millisecond, func() {
		if all := p.living(); len(all) > 0 {
			_ = syscall.Kill(all[rand.IntN(len(all))], syscall.SIGKILL) // it may be leaving
			kills++
		}
		p.signal(syscall.SIGHUP)
	})
	l.end()
	t.Log(l, "after", kills, "kills")
	if l.refused > 0 || len(l.failures) > kills*clients {
		t.Errorf("%d refused, %d failed: more than the killed can have had (%d)", l.refused, len(l.failures), kills*clients)
	}
	p.reload()
}

func TestSurge(t *testing.T) {
	const workers = 4
	cfg := quick(workers)
	cfg.Surge = workers
	p := start(t, "serve", cfg)
	l := startLoad(p.addr(), "/", 16)
	for range 5 {
		p.reload()
	}
	p.settled(workers)
	l.mustBeWhole(t)
}

// The symbolic link of a deployment, moved to the next release and back.
func TestSymlinkSwitch(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, self(t), filepath.Join(dir, name, "server"))
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
	p := startExe(t, filepath.Join(dir, "current", "server"), "serve", quick(2))
	l := startLoad(p.addr(), "/", 8)
	for i := range 6 {
		name := []string{"two", "one"}[i%2]
		point(name)
		if i%3 == 2 {
			p.upgrade()
		} else {
			p.reload()
		}
		p.settled(2)
		for _, pid := range p.living() {
			if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); filepath.Base(filepath.Dir(exe)) != name {
				t.Errorf("worker %d runs %s, want release %s", pid, exe, name)
			}
		}
	}
	l.mustBeWhole(t)
}

// startExe is start with an executable of its own.
func startExe(t *testing.T, exe, helper string, cfg master.Config, env ...string) *process {
	t.Helper()
	p := launchExe(t, exe, helper, cfg, env...)
	p.waitLog("worker ready", max(cfg.Workers, 1))
	return p
}

// A crash in an old generation starts that generation again, whatever is on disk, and
// under its own name.
func TestCrashIsRespawnedFromItsOwnRelease(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, exe string)
	}{
		{"replaced by garbage", func(t *testing.T, exe string) { replaceFile(t, exe, "garbage", 0o755) }},
		{"removed", func(t *testing.T, exe string) { noError(t, os.Remove(exe)) }},
		{"folder removed", func(t *testing.T, exe string) { noError(t, os.RemoveAll(filepath.Dir(exe))) }},
		{"not executable", func(t *testing.T, exe string) { replaceFile(t, exe, "#!/bin/sh\n", 0o644) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "release", "server")
			noError(t, os.Mkdir(filepath.Dir(exe), 0o755))
			copyFile(t, self(t), exe)
			cfg := quick(1)
			cfg.Dir = "/"
			p := startExe(t, exe, "operated", cfg)
			tc.spoil(t, exe)
			kill(t, p.living()[0])
			p.waitLog("worker ready", 2)
			name, err := request("tcp", p.addr(), "/name")
			if err != nil || strings.TrimSpace(name) != "server" {
				t.Errorf("ps shows %q, %v; want server", name, err)
			}
		})
	}
}

// The folder that everything was started in is removed. Workers start in it all the same;
// a new master can't, and the old one says so.
func TestWorkingDirectoryIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "release")
	noError(t, os.Mkdir(dir, 0o755))
	cmd := command(t, "serve", quick(2))
	cmd.Dir = dir
	p := run(t, cmd)
	p.waitLog("worker ready", 2)
	noError(t, os.Remove(dir))
	kill(t, p.living()[0])
	p.waitLog("worker ready", 3)
	p.reload()
	p.reload()
	p.settled(2)
	if p.log.has("worker died", "start") {
		t.Errorf("a worker could not be started:\n%s", p.log)
	}
	p.signal(syscall.SIGUSR2)
	p.waitLog("upgrade failed", 1)
	if !p.log.has("upgrade failed", "working directory: stat "+dir) {
		t.Errorf("the log doesn't say why:\n%s", p.log)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func replaceFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	syscall.ForkLock.RLock() // as in copyFile
	defer syscall.ForkLock.RUnlock()
	noError(t, os.WriteFile(path+".new", []byte(content), mode))
	noError(t, os.Rename(path+".new", path))
}

// An executable that can't be started fails the reload with its reason, the service runs
// on, and a good one is taken up.
func TestReleaseThatCannotBeStarted(t *testing.T) {
	for _, tc := range []struct {
		name, why string
		spoil     func(t *testing.T, exe string) (undo func())
	}{
		{"half written", "reload failed", func(t *testing.T, exe string) func() {
			b, err := os.ReadFile(self(t))
			noError(t, err)
			replaceFile(t, exe, string(b[:len(b)/3]), 0o755)
			return nil
		}},
		{"garbage", "exec format error", func(t *testing.T, exe string) func() {
			replaceFile(t, exe, "garbage", 0o755)
			return nil
		}},
		{"no execute bit", "permission denied", func(t *testing.T, exe string) func() {
			replaceFile(t, exe, "garbage", 0o644)
			return nil
		}},
		{"removed", "no such file", func(t *testing.T, exe string) func() {
			noError(t, os.Remove(exe))
			return nil
		}},
		{"folder removed", "no such file", func(t *testing.T, exe string) func() {
			noError(t, os.RemoveAll(filepath.Dir(exe)))
			return func() { noError(t, os.Mkdir(filepath.Dir(exe), 0o755)) }
		}},
		{"text busy", "text file busy", func(t *testing.T, exe string) func() {
			replaceFile(t, exe, "", 0o755)
			f, err := os.OpenFile(exe, os.O_WRONLY, 0)
			noError(t, err)
			b, err := os.ReadFile(self(t))
			noError(t, err)
			_, err = f.Write(b)
			noError(t, err)
			return func() { noError(t, f.Close()); noError(t, os.Remove(exe)) }
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "release", "server")
			noError(t, os.Mkdir(filepath.Dir(exe), 0o755))
			copyFile(t, self(t), exe)
			cfg := quick(2)
			cfg.Dir = "/"
			p := startExe(t, exe, "serve", cfg)
			l := startLoad(p.addr(), "/", 8)
			undo := tc.spoil(t, exe)
			p.signal(syscall.SIGHUP)
			p.waitLog("reload failed", 1)
			if !p.log.has("reload failed", tc.why) {
				t.Errorf("the log doesn't say %q:\n%s", tc.why, p.log)
			}
			if undo != nil {
				undo()
			}
			copyFile(t, self(t), exe+".new")
			noError(t, os.Rename(exe+".new", exe))
			p.reload()
			l.mustBeWhole(t)
		})
	}
}

// A generation that drains a long download lives beside those that follow it.
func TestDownloadOutlivesReloads(t *testing.T) {
	t.Parallel()
	takesLong(t)
	p := start(t, "operated", quick(1))
	seconds := int(long(20*time.Second, 3*time.Second) / time.Second)
	type result struct {
		body string
		err  error
	}
	done := make(chan result, 1)
	begun := time.Now()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // it would be waited for
	go func() {
		resp, err := client.Get(fmt.Sprintf("http://%s/download?seconds=%d", p.addr(), seconds))
		if err != nil {
			done <- result{"", err}
			return
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		done <- result{b.String(), err}
	}()
	l := startLoad(p.addr(), "/", 8)
	time.Sleep(200 * time.Millisecond) // into the download
	for range 3 {
		p.reload()
	}
	reloaded := time.Since(begun)
	r := <-done
	if r.err != nil || len(r.body) != seconds*10*1024 {
		t.Errorf("the download: %d of %d bytes, %v", len(r.body), seconds*10*1024, r.err)
	}
	if reloaded > time.Duration(seconds)*time.Second {
		t.Errorf("three reloads took %v: they have waited for the download", reloaded)
	}
	p.settled(1)
	l.mustBeWhole(t)
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	cfg := quick(2)
	cfg.MaxAge = time.Second
	p := start(t, "serve", cfg)
	l := startLoad(p.addr(), "/", 8)
	p.waitLog("worker left", 4)
	l.mustBeWhole(t)
	if n := p.log.Count("generation=2"); n > 0 {
		t.Errorf("a recycled worker is of another generation:\n%s", p.log)
	}
}

func TestMaxMemory(t *testing.T) {
	t.Parallel()
	cfg := quick(1)
	cfg.MaxMemory = 100 << 20
	p := start(t, "operated", cfg)
	l := startLoad(p.addr(), "/", 8)
	for range 2 {
		if _, err := request("tcp", p.addr(), "/grow"); err != nil {
			t.Fatal(err)
		}
	}
	p.waitLog("worker uses too much memory worker=1 ", 1)
	p.waitLog("worker left worker=1 ", 1)
	l.mustBeWhole(t)
	if n := p.log.Count("too much memory"); n != 1 {
		t.Errorf("%d workers used too much, want 1", n)
	}
}

func TestIllWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := quick(2)
	cfg.HealthInterval, cfg.HealthFailures = 500*time.Millisecond, 3
	p := start(t, "operated", cfg)
	l := startLoad(p.addr(), "/", 8)
	if _, err := request("tcp", p.addr(), "/ill"); err != nil {
		t.Fatal(err)
	}
	p.waitLog("worker left", 1)
	l.mustBeWhole(t)
	if !p.log.has("worker is not well", "times=3", "the database is gone") {
		t.Errorf("the log doesn't say so:\n%s", p.log)
	}
	if n := p.log.Count("worker is to be replaced"); n != 1 {
		t.Errorf("%d workers were replaced, want the ill one", n)
	}
}

// One that is stopped answers nothing, and has to be forced.
func TestHungWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := quick(2)
	cfg.HealthInterval, cfg.Grace, cfg.KillAfter = 500*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	p := start(t, "operated", cfg)
	victim := p.living()[0]
	standStill(t, victim)
	p.waitLog("worker ready", 3)
	waitFor(t, "the hung worker to be gone", func() bool { return !alive(victim) })
	if n := p.log.Count(fmt.Sprintf("pid=%d times=", victim)); n != 3 || p.log.Count("no answer") < n {
		t.Errorf("%d questions without an answer, want 3:\n%s", n, p.log)
	}
}

// BenchmarkReloadLatency is from HUP to old-disconnected, with no trial, in the median.
func BenchmarkReloadLatency(b *testing.B) {
	for _, tc := range []struct {
		workers int
		want    time.Duration
	}{{1, 60 * time.Millisecond}, {8, 250 * time.Millisecond}} {
		b.Run(fmt.Sprint(tc.workers), func(b *testing.B) {
			cfg := quick(tc.workers)
			cfg.Surge = tc.workers
			p := start(b, "serve", cfg)
			var took []float64
			for range 50 * b.N {
				begun := time.Now()
				p.reload()
				took = append(took, time.Since(begun).Seconds()*1000)
				p.settled(tc.workers)
			}
			b.ReportMetric(median(took), "median-ms")
			b.Logf("%d workers: median %.0f ms, best %.0f, worst %.0f (want at most %v)",
				tc.workers, median(took), slices.Min(took), slices.Max(took), tc.want)
		})
	}
}

// After many reloads and upgrades the master is as at the start.
func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "m")
	p := start(t, "observed", quick(2), flagsEnv+"="+base)
	p.upgrade() // the first opens what stays open
	p.reload()
	p.idle(2)
	before := p.footprint(base)
	for range longTimes(200, 20) {
		p.reload()
	}
	for range longTimes(20, 3) {
		p.upgrade()
	}
	p.reload()
	p.idle(2)
	after := before
	waitFor(t, fmt.Sprintf("the master to be as at the start: %+v", before), func() bool {
		after = p.footprint(base)
		return after.files <= before.files && after.goroutines <= before.goroutines
	}, func() string { return fmt.Sprintf("%+v", after) })
	t.Logf("before %+v, after %+v", before, after)
	if after.rss > before.rss*11/10 {
		t.Errorf("memory has grown from %d to %d KB", before.rss, after.rss)
	}
	if n := zombiesOf(p.pid()); n > 0 {
		t.Errorf("%d zombies", n)
	}
}

type footprint struct{ files, goroutines, rss int }

func (p *process) footprint(base string) footprint {
	n := goroutines(fmt.Sprintf("%s.%d", base, p.pid()))
	return footprint{descriptors(p.pid()), n, residentKB(p.pid())}
}

func residentKB(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var size, resident int
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * os.Getpagesize() / 1024
}

// zombiesOf counts the dead children that a process has not waited for. (Masters that
// have left are PID 1's, whose business they are.)
func zombiesOf(pid int) (n int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(b), ") ")
		var state string
		var parent int
		_, _ = fmt.Sscan(rest, &state, &parent)
		if state == "Z" && parent == pid {
			n++
		}
	}
	return n
}
