//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/master"
)

// Section 6: the signals.

func TestTermAnswersWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t, "serve", quick(2))
			busy := inFlight(t, p, "/?sleep=400ms")
			p.signal(sig)
			if err := <-busy; err != nil {
				t.Errorf("the request in flight: %v", err)
			}
			if status := p.wait(); status != 0 {
				t.Errorf("exit status %d, want 0", status)
			}
		})
	}
}

// inFlight makes a request and returns when the handler has it.
func inFlight(t *testing.T, p *process, path string) <-chan error {
	t.Helper()
	handled := p.log.Count("handling " + path)
	done := make(chan error, 1)
	go func() {
		_, err := request("tcp", p.addr(), path)
		done <- err
	}()
	p.waitLog("handling "+path, handled+1)
	return done
}

// Ctrl-C reaches the master alone: the terminal signals its process group, and the
// workers have their own.
func TestCtrlCReachesTheMasterAlone(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", quick(2))
	busy := inFlight(t, p, "/?sleep=400ms")
	if err := syscall.Kill(-p.pid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

func TestSecondInterruptIsAtOnce(t *testing.T) {
	p := start(t, "serve", quick(1))
	busy := inFlight(t, p, "/?sleep=10s")
	begin := time.Now()
	p.signal(syscall.SIGINT)
	p.waitLog("rota: stop", 1)
	p.signal(syscall.SIGINT)
	p.wait()
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	if err := <-busy; err == nil {
		t.Error("the request was answered: this was no end at once")
	}
}

// A worker obeys SIGTERM as its master's order: it drains, and a successor comes.
func TestTermToAWorker(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", quick(1))
	busy := inFlight(t, p, "/?sleep=400ms")
	worker := p.living()[0]
	if err := syscall.Kill(worker, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.waitLog("worker ready", 2) // while the first still drains
	if err := <-busy; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	p.waitLog("worker left", 1)
}

// "killall -HUP" reaches the workers too. It is none of their business.
func TestHupToEverybody(t *testing.T) {
	p := start(t, "serve", quick(2))
	l := startLoad(p.addr(), "/", 4)
	for range 5 {
		for _, worker := range p.living() {
			_ = syscall.Kill(worker, syscall.SIGHUP)
		}
		p.reload()
	}
	l.mustBeWhole(t)
	if n := p.log.Count("worker died"); n > 0 {
		t.Errorf("%d workers died of SIGHUP", n)
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", quick(1))
	p.signal(syscall.SIGTTIN)
	p.waitLog("worker ready", 2)
	p.signal(syscall.SIGTTIN)
	p.waitLog("worker ready", 3)
	for i := range 2 { // one by one: equal signals that wait are one
		p.signal(syscall.SIGTTOU)
		p.waitLog("worker left", i+1)
	}
	p.signal(syscall.SIGTTOU) // never below one
	p.reload()
	if _, err := request("tcp", p.addr(), "/"); err != nil {
		t.Error(err)
	}
	p.settled(1)
}

// SIGUSR1 reaches every worker, also one that has just been started: it would die of it
// before Go's runtime has its handlers, so it gets it afterwards.
func TestUSR1IsPassedOn(t *testing.T) {
	cfg := quick(2)
	cfg.Exec, cfg.Args = "/bin/sh", []string{"-c", `echo started >&2; sleep 0.2; exec "$0"`, self(t)}
	p := launch(t, "reopen", cfg)
	p.waitLog("started", 2)
	p.signal(syscall.SIGUSR1)
	p.waitLog("worker ready", 2)
	before := p.log.Count("logs are reopened") // none, where main has no handler either
	p.signal(syscall.SIGUSR1)
	p.waitLog("logs are reopened", before+2)
	if n := p.log.Count("worker died"); n > 0 {
		t.Errorf("%d workers died of SIGUSR1", n)
	}
}

// SIGHUP that was ignored at the start (nohup) is a reload all the same.
func TestHupUnderNohup(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0"`, self(t))
	cmd.Env = append(os.Environ(), "ROTA=on", helperEnv+"=serve")
	p := run(t, cmd)
	p.waitLog("worker ready", 1)
	p.reload()
}

// A worker that hangs after its drain is asked, then forced.
func TestHungWorkerIsForced(t *testing.T) {
	t.Parallel()
	p := start(t, "hang-after", master.Config{Workers: 1, MinUptime: -1, KillAfter: 100 * time.Millisecond})
	p.reload()
	p.waitLog("worker does not end", 1)
	p.waitLog("worker left", 1)
}
