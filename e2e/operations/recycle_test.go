//go:build linux

package operations

import (
	"io"
	"net/http"
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

// With a plain server connections count for MaxRequests, and with rotahttp requests, of which many come on one connection.
func TestMaxRequests(t *testing.T) {
	t.Parallel()
	for program, keepAlive := range map[string]bool{"serve": false, "judged": true} {
		cfg := server.Quick(1)
		cfg.MaxRequests = 100 // and by the spread at least 90
		p := e2etest.Start(t, program, cfg, server.NewRelease(t, "well").Flags)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: !keepAlive}, Timeout: e2etest.Stuck}
		defer client.CloseIdleConnections()
		ask := func(n int) {
			for range n {
				resp, err := client.Get("http://" + p.Addr() + "/")
				e2etest.NoError(t, err)
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		}
		ask(89)
		if n := p.Logged(e2etest.WorkerReplaced); n != 0 {
			t.Errorf("%s: %d workers were replaced after 89 of 100 requests", program, n)
		}
		ask(11)
		p.WaitLog(e2etest.WorkerLeft.OfWorker(1), 1)
		ask(10)
		if !p.LoggedTogether(e2etest.WorkerReplaced, e2etest.BecauseOfRequests) {
			t.Errorf("%s: the log has no line of the reason:\n%s", program, p.Log)
		}
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
