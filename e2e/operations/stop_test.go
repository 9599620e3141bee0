//go:build linux

package operations

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// cut is what a worker says that ends a connection because its grace is over.
const cut = "cut at the end of the grace of "

// A worker that a reload has replaced has hours, and seconds when the master stops.
func TestStopGrace(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.Grace, cfg.StopGrace = time.Hour, time.Second
	p := e2etest.Start(t, "serve", cfg, "ROTA_LOG=debug")
	old := p.InFlight("/?sleep=60s&of=old")
	p.Reload()
	p.WaitLog(e2etest.WorkerDrains, 1) // it may accept one more
	var young <-chan error
	for i := 0; young == nil && i < 100; i++ {
		path := fmt.Sprint("/?sleep=60s&of=", i)
		if busy := p.InFlight(path); p.Log.Count(e2etest.Handling(path)+"2\n") > 0 {
			young = busy
		}
	}
	brief := p.InFlight("/?sleep=100ms")
	if n := p.Log.Count(cut); n > 0 {
		t.Error("the reload has cut a connection")
	}
	begin := time.Now()
	p.Signal(syscall.SIGTERM)
	if err := <-brief; err != nil {
		t.Errorf("a request that is answered within StopGrace: %v", err)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	if d := time.Since(begin); d < cfg.StopGrace {
		t.Errorf("the stop took %v, less than StopGrace", d)
	}
	for name, busy := range map[string]<-chan error{"old": old, "young": young} {
		if err := <-busy; err == nil {
			t.Errorf("the request of the %s worker was answered", name)
		}
	}
	if !p.Log.HasLine("worker 2: ", cut+"1s") || !p.Log.HasLine("worker 1: ", cut) {
		t.Error("the workers don't say that StopGrace has cut their connections")
	}
	if n := p.Logged(e2etest.WorkerForced); n > 0 {
		t.Errorf("%d workers had to be forced", n)
	}
}

// stopSteps are what each step of a stop may be, of a master whose control socket is at path.
func stopSteps(t *testing.T, path string) map[string]func(*e2etest.Process) {
	return map[string]func(*e2etest.Process){
		"TERM": func(p *e2etest.Process) { p.Signal(syscall.SIGTERM) },
		"INT":  func(p *e2etest.Process) { p.Signal(syscall.SIGINT) },
		"QUIT": func(p *e2etest.Process) { p.Signal(syscall.SIGQUIT) },
		"control": func(p *e2etest.Process) {
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprintln(c, `{"do":"stop","nowait":true}`)
			_, _ = io.Copy(io.Discard, c) // it may end before the answer
		},
	}
}

// A second TERM, or rota stop, ends a grace without a limit, whatever has begun the stop: connections are cut, the status is 0.
func TestSecondTermEndsTheGrace(t *testing.T) {
	t.Parallel()
	for _, steps := range [][2]string{{"TERM", "TERM"}, {"INT", "TERM"}, {"QUIT", "TERM"}, {"control", "TERM"}, {"control", "INT"}, {"TERM", "control"}, {"control", "control"}} {
		t.Run(steps[0]+" "+steps[1], func(t *testing.T) {
			t.Parallel()
			cfg := server.Quick(2)
			cfg.Grace, cfg.KillAfter, cfg.Control = master.NoLimit, time.Hour, filepath.Join(t.TempDir(), "sock")
			step := stopSteps(t, cfg.Control)
			p := e2etest.Start(t, "serve", cfg)
			e2etest.WaitFor(t, "the control socket", func() bool { return e2etest.Exists(cfg.Control) })
			busy := p.InFlight("/?sleep=60s")
			step[steps[0]](p)
			p.WaitLog(e2etest.WorkerLeft, 1) // the other worker
			step[steps[1]](p)
			if status := p.Wait(); status != 0 {
				t.Errorf("exit status %d, want 0", status)
			}
			if err := <-busy; err == nil {
				t.Error("the request was answered")
			}
			if p.Logged(e2etest.StopsAgain) != 1 || p.Log.Count(cut) != 1 {
				t.Errorf("nothing tells of the cut:\n%s", p.Log)
			}
		})
	}
}

// A worker that doesn't obey the second TERM is forced as at the end of any grace.
func TestSecondTermForces(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.Grace, cfg.KillAfter = master.NoLimit, 100*time.Millisecond
	p := e2etest.Start(t, "serve", cfg)
	worker := p.Children()[0]
	e2etest.StandStill(t, worker)
	p.Signal(syscall.SIGTERM)
	p.WaitLog(e2etest.StopStarts, 1)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	if n := p.Logged(e2etest.WorkerForced); n != 2 {
		t.Errorf("the worker got %d signals, want TERM and KILL", n)
	}
}

// For StopDelay new connections are served, and a worker that dies is replaced. HUP and USR2 are
// refused with a line.
func TestStopDelay(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.StopDelay = 2 * time.Second
	p := e2etest.Start(t, "serve", cfg)
	begin := time.Now()
	p.Signal(syscall.SIGTERM)
	p.WaitLog(e2etest.StopDelayed, 1)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.NoReload, 1)
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.NoUpgrade, 1)
	load := e2etest.StartLoad(p.Addr(), "/", 2)
	load.Goes(t, 20)
	load.MustBeWhole(t)
	if err := syscall.Kill(p.Children()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.WaitLog(e2etest.WorkerReady, 2)
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Errorf("after a crash: %v", err)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	if d := time.Since(begin); d < cfg.StopDelay {
		t.Errorf("the stop began after %v, before StopDelay", d)
	}
	if n := p.Logged(e2etest.ReloadStarts) + p.Logged(e2etest.UpgradeStarts); n > 0 {
		t.Errorf("%d reloads and upgrades began", n)
	}
}

// A second TERM or the first INT ends StopDelay, and not the grace. A reload has no delay.
func TestTermEndsTheDelay(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := server.Quick(1)
			cfg.StopDelay = time.Hour
			p := e2etest.Start(t, "serve", cfg)
			p.Reload()
			p.WaitLog(e2etest.WorkerLeft, 1)
			busy := p.InFlight("/?sleep=400ms")
			p.Signal(syscall.SIGTERM)
			p.WaitLog(e2etest.StopDelayed, 1)
			p.Signal(second)
			p.EndsWell(busy)
		})
	}
}

// Two INT end the process at once, also in the delay.
func TestTwoInterruptsInTheDelay(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.StopDelay = time.Hour
	p := e2etest.Start(t, "serve", cfg)
	busy := p.InFlight("/?sleep=60s")
	p.Signal(syscall.SIGINT)
	p.WaitLog(e2etest.StopDelayed, 1)
	p.Signal(syscall.SIGINT)
	if status := p.Wait(); status != 130 {
		t.Errorf("exit status %d, want 130", status)
	}
	if err := <-busy; err == nil {
		t.Error("the request was answered")
	}
}

// The old master of an upgrade gives its workers Grace. TERM to its pid makes that StopGrace, and
// the new master serves on.
func TestStopOfAReplacedMaster(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.Grace, cfg.StopGrace = time.Hour, 200*time.Millisecond
	p := e2etest.Start(t, "serve", cfg)
	old := p.PID()
	busy := p.InFlight("/?sleep=60s")
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.TookOver, 1)
	p.WaitLog(e2etest.StopStarts, 1)
	select {
	case err := <-busy:
		t.Fatalf("the upgrade has ended the request: %v", err)
	case <-time.After(2 * cfg.StopGrace):
	}
	if err := syscall.Kill(old, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-busy; err == nil {
		t.Error("the request was answered")
	}
	e2etest.WaitFor(t, "the old master to be gone", func() bool { return !e2etest.Alive(old) }, p.Log.String)
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Errorf("the new master: %v", err)
	}
}

// Whoever starts the program sets what it has not, and the new master of an upgrade keeps that. A
// wrong value ends the program before anything is served, with a line that says what is wanted.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.Grace = time.Hour
	p := e2etest.Start(t, "serve", cfg, "ROTA_GRACE=1ms", "ROTA_STOP_GRACE=none")
	p.Upgrade()
	busy := p.InFlight("/?sleep=300ms")
	p.Reload()
	if err := <-busy; err != nil {
		t.Errorf("the variable has overridden the program's Grace: %v", err)
	}
	busy = p.InFlight("/?sleep=60s")
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	if err := <-busy; err == nil {
		t.Error("ROTA_STOP_GRACE has no effect")
	}
}

func TestWrongEnvironment(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{
		"ROTA=of":                 `ROTA is "of": want "on", "off" or nothing`,
		"ROTA_GRACE=10":           `ROTA_GRACE is "10": want a duration such as "10s", or "none", or "nolimit"`,
		"ROTA_WORKERS=2x":         `ROTA_WORKERS is "2x": want a number from 1 to 1024, or "auto"`,
		"ROTA_MAX_MEMORY=1GB":     `ROTA_MAX_MEMORY is "1GB": want a number of bytes`,
		"ROTA_MIN_UPTIME=nolimit": `ROTA_MIN_UPTIME is "nolimit": want a duration such as "10s", or "none"`,
	} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			p := e2etest.Launch(t, "serve", server.Quick(1), variable)
			if status := p.Wait(); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			if log := p.Log.String(); !strings.Contains(log, want) || p.Logged(e2etest.MasterStarts) > 0 {
				t.Errorf("the program says %q, want %q", log, want)
			}
		})
	}
}
