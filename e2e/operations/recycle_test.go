//go:build linux

package operations

import (
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

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
		t.Errorf("the log has no line about the unhealthy worker:\n%s", p.Log)
	}
	if n := p.Logged(e2etest.WorkerReplaced); n != 1 {
		t.Errorf("%d workers were replaced, want the unhealthy one", n)
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
		t.Errorf("%d health checks without an answer, want 3:\n%s", n, p.Log)
	}
}
