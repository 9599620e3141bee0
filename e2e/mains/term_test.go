//go:build linux

package mains

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// A worker whose main waits for a signal gets it as soon as the worker has drained: nobody
// waits for KillAfter, in a reload or at TERM.
func TestWaitingMainEndsWithTheDrain(t *testing.T) {
	for _, name := range []string{"NotifyContext", "Shutdown", "rotahttp"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := e2etest.Start(t, name, master.Config{MinUptime: -1, KillAfter: time.Hour})
			p.Reload()
			p.WaitLog(e2etest.WorkerLeft, 1)
			p.Signal(syscall.SIGTERM)
			p.Wait()
			if n := p.Logged(e2etest.WorkerForced); n > 0 {
				t.Errorf("%d workers had to be forced", n)
			}
		})
	}
}

// The usual main, log.Fatal(http.Serve(ln, h)), ends with status 1 in each reload. Neither its
// own line nor the master's looks like a failure.
func TestPlannedEndIsNoFailure(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(1))
	p.Reload()
	p.WaitLog(e2etest.WorkerLeft, 1)
	if !p.LoggedTogether(e2etest.WorkerLeft, e2etest.LeftWithFatal) {
		t.Errorf("the master's line isn't %s", e2etest.LeftWithFatal)
	}
	if !p.Log.HasLine("accept tcp", ": the worker has left, as it was asked to") {
		t.Error("main's line doesn't say why Accept has failed")
	}
}

// A main without a handler for TERM may take its time after Accept has failed.
func TestMainMayCleanUpAfterAccept(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "clean up", master.Config{MinUptime: -1, KillAfter: time.Hour})
	p.Reload()
	p.WaitLog(e2etest.WorkerLeft, 1)
	if n := p.Log.Count("cleaned up"); n != 1 {
		t.Errorf("main has cleaned up %d times, want once", n)
	}
}

// At TERM a program that calls srv.Shutdown loses no request: the drain comes first. Only
// those that connect afterwards are refused.
func TestShutdownAtTermUnderLoad(t *testing.T) {
	for _, workers := range []int{1, 3} {
		for range e2etest.Times(8, 2) {
			p := e2etest.Start(t, "Shutdown", server.Quick(workers))
			load := e2etest.NewLoad()
			load.AddKeepAlive(p.Addr(), e2etest.Get("/"), 8, 0)
			load.AddKeepAlive(p.Addr(), e2etest.Get("/"), 8, 5*time.Millisecond)
			load.AddKeepAlive(p.Addr(), e2etest.Post("/", 1024), 8, time.Millisecond)
			load.Goes(t, 500)
			p.Signal(syscall.SIGTERM)
			p.Wait()
			r := load.End()
			t.Log(workers, "workers:", r)
			if r.Failed != r.Refused {
				t.Errorf("%d workers: %d requests were lost; the first failures: %v", workers, r.Failed-r.Refused, r.First)
			}
		}
	}
}
