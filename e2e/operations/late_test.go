//go:build linux

package operations

import (
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// late is a server whose main port, which the flags name, comes up after its metrics port.
func late() {
	metrics := server.MustListen()
	go func() { _ = http.Serve(metrics, http.HandlerFunc(server.Answer)) }()
	time.Sleep(2 * time.Second)
	ln, err := rota.Listen("tcp", os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

// A port that comes up later than another loses no connection in reloads and upgrades.
func TestLatePort(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	addr := e2etest.FreeAddress(t)
	p := e2etest.Start(t, "late", master.Config{Workers: 2}, e2etest.FlagsEnv+"="+addr)
	e2etest.WaitFor(t, "the main port", func() bool { return dials(addr) }, p.Log.String)
	l := e2etest.StartLoad(addr, "/", 4)
	p.Reload()
	p.Upgrade()
	p.Reload()
	l.MustBeWhole(t)
}

func dials(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// A release that hangs delays neither a reload nor, as a master, one that is requested during
// the upgrade (docs/contract.md#reload-superseded).
func TestHangingReleaseIsSuperseded(t *testing.T) {
	t.Parallel()
	for kind, order := range map[string]syscall.Signal{"hangs": syscall.SIGHUP, "master hangs": syscall.SIGUSR2} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			release := server.NewRelease(t, "good")
			p := e2etest.Start(t, "version", server.Quick(2), release.Flags)
			release.Write(kind)
			p.Signal(order)
			p.WaitLog(server.Hangs, 1)
			release.Write("good")
			p.Signal(syscall.SIGHUP)
			p.WaitLog(e2etest.ReloadDone, 1)
			if p.Logged(e2etest.NotReadyInTime) > 0 || p.Logged(e2etest.NotReadyForNext) == 0 {
				t.Errorf("the hanging release was waited for:\n%s", p.Log)
			}
		})
	}
}

// A worker that is stopped when it has just become ready replaces nobody in a reload, nor does
// its master in an upgrade (docs/contract.md#reload-abort).
func TestStoppedWorkerReplacesNobody(t *testing.T) {
	t.Parallel()
	for order, failed := range map[syscall.Signal]e2etest.Line{
		syscall.SIGHUP: e2etest.ReloadFailed, syscall.SIGUSR2: e2etest.UpgradeFailed,
	} {
		t.Run(order.String(), func(t *testing.T) {
			t.Parallel()
			p := e2etest.Start(t, "serve", master.Config{MinUptime: 2 * time.Second, Grace: time.Second, KillAfter: -1})
			p.Signal(order)
			p.WaitLog(e2etest.WorkerReady, 2)
			pids := p.ReadyPIDs()
			e2etest.NoError(t, syscall.Kill(pids[1], syscall.SIGSTOP))
			p.WaitLog(failed, 1)
			if p.Logged(e2etest.NoSignOfLife) == 0 || !e2etest.Alive(pids[0]) {
				t.Errorf("the old worker %d is gone, or the log doesn't say why this failed:\n%s", pids[0], p.Log)
			}
			e2etest.WaitFor(t, "the end of the stopped worker", func() bool { return !e2etest.Alive(pids[1]) })
		})
	}
}

// brief serves, and exits with status 5 as soon as it is ready.
func brief() {
	ln := server.MustListen()
	time.AfterFunc(20*time.Millisecond, func() { os.Exit(5) })
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

// A program whose workers die as soon as they are ready doesn't start
// (docs/contract.md#reload-first).
func TestStartThatDiesWhenReady(t *testing.T) {
	p := e2etest.Launch(t, "brief", master.Config{})
	if status := p.Wait(); status != 5 {
		t.Errorf("exit status %d, want 5:\n%s", status, p.Log)
	}
	if n := p.Logged(e2etest.WorkerDied); n != 3 {
		t.Errorf("%d workers died, want 3:\n%s", n, p.Log)
	}
}

// However often the program is reloaded, the workers that drain are bounded
// (docs/contract.md#reload-generations).
func TestDrainingWorkersAreBounded(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.MaxDraining, cfg.Grace = 2, 3*time.Second
	p := e2etest.Start(t, "operated", cfg)
	streams := 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", p.Addr()); err == nil { // keeps whoever accepts it from ending
			defer c.Close()
			if _, err := c.Write([]byte("GET /download?seconds=30 HTTP/1.1\r\nHost: x\r\n\r\n")); err == nil {
				streams++
			}
		}
		p.Signal(syscall.SIGHUP)
		if n := len(p.Children()); n > 4 { // two, one that serves, and one that starts
			t.Fatalf("%d workers live after %d streams:\n%s", n, streams, p.Log)
		}
	}
	if p.Logged(e2etest.ReloadWaits) == 0 {
		t.Errorf("no reload has waited:\n%s", p.Log)
	}
	p.WaitIdle(1)
}
