//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// TestTermAnswersWhatIsInFlight proves that SIGTERM, SIGINT and SIGQUIT end the service
// with status 0 when all requests in flight are answered.
func TestTermAnswersWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := e2etest.Start(t, "serve", server.Quick(2))
			busy := p.InFlight("/?sleep=400ms")
			p.Signal(sig)
			p.EndsWell(busy)
		})
	}
}

// Ctrl-C reaches the master alone: the terminal signals the process group of the master,
// and workers have groups of their own.
func TestCtrlCReachesTheMasterAlone(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(2))
	busy := p.InFlight("/?sleep=400ms")
	if err := syscall.Kill(-p.PID(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	p.EndsWell(busy)
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(1))
	busy := p.InFlight("/?sleep=10s")
	begin := time.Now()
	p.Signal(syscall.SIGINT)
	p.WaitLog(e2etest.StopStarts, 1)
	p.Signal(syscall.SIGINT)
	p.Wait()
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the end took %v after the second SIGINT", d)
	}
	if err := <-busy; err == nil {
		t.Error("the request was answered: the second SIGINT did not end it at once")
	}
}

// A worker that gets SIGTERM drains, and the master starts another in its slot.
func TestTermToAWorker(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(1))
	busy := p.InFlight("/?sleep=400ms")
	worker := p.Children()[0]
	if err := syscall.Kill(worker, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.WaitLog(e2etest.WorkerReady, 2) // while the first still drains
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	p.WaitLog(e2etest.WorkerLeft, 1)
}

// "killall -HUP" reaches the workers too. They ignore it.
func TestWorkersIgnoreHup(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 4)
	for range 5 {
		for _, worker := range p.Children() {
			_ = syscall.Kill(worker, syscall.SIGHUP)
		}
		p.Reload()
	}
	l.MustBeWhole(t)
	if n := p.Logged(e2etest.WorkerDied); n > 0 {
		t.Errorf("%d workers died of SIGHUP", n)
	}
}

func TestTTINAndTTOUScale(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(1))
	p.Signal(syscall.SIGTTIN)
	p.WaitLog(e2etest.WorkerReady, 2)
	p.Signal(syscall.SIGTTIN)
	p.WaitLog(e2etest.WorkerReady, 3)
	for i := range 2 { // one by one: equal signals that wait are one
		p.Signal(syscall.SIGTTOU)
		p.WaitLog(e2etest.WorkerLeft, i+1)
	}
	p.Signal(syscall.SIGTTOU) // never below one
	p.Reload()
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Error(err)
	}
	p.WaitChildren(1)
}

// The master passes SIGUSR1 on to every worker. One that was just started would die of it
// before Go's runtime has installed its handlers, so it gets the signal later.
func TestUSR1IsPassedOn(t *testing.T) {
	cfg := server.Quick(2)
	cfg.Exec, cfg.Args = "/bin/sh", []string{"-c", `echo started >&2; sleep 0.2; exec "$0"`, e2etest.Self(t)}
	p := e2etest.Launch(t, "reopen", cfg)
	p.WaitOutput("started", 2)
	p.Signal(syscall.SIGUSR1)
	p.WaitLog(e2etest.WorkerReady, 2)
	before := p.Log.Count("logs are reopened") // none, where main has no handler either
	p.Signal(syscall.SIGUSR1)
	p.WaitOutput("logs are reopened", before+2)
	if n := p.Logged(e2etest.WorkerDied); n > 0 {
		t.Errorf("%d workers died of SIGUSR1", n)
	}
}

// During an upgrade the workers of both masters get SIGUSR1: those of the new one write to the same logs.
func TestUSR1DuringUpgrade(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "reopen", master.Config{Workers: 1, MinUptime: 500 * time.Millisecond})
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.WorkerReady, 2)
	p.Signal(syscall.SIGUSR1)
	p.WaitOutput("logs are reopened", 2)
	p.WaitLog(e2etest.TookOver, 1)
}

// SIGHUP is a reload also if it was ignored when the master was started (nohup).
func TestHupUnderNohup(t *testing.T) {
	t.Parallel()
	cmd := e2etest.Command(t, "serve", server.Quick(1))
	cmd.Args = []string{"sh", "-c", `trap "" HUP; exec "$0"`, cmd.Path}
	cmd.Path = "/bin/sh"
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 1)
	p.Reload()
}

// A worker that doesn't end after its drain gets SIGTERM, and SIGKILL after KillAfter.
func TestHungWorkerIsForced(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "hang-after", master.Config{Workers: 1, MinUptime: -1, KillAfter: 100 * time.Millisecond})
	p.Reload()
	p.WaitLog(e2etest.WorkerForced, 1)
	p.WaitLog(e2etest.WorkerLeft, 1)
}
