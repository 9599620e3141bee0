//go:build linux

package mains

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// onMaster is a program whose workers report to the master. The address is a flag's.
func onMaster() {
	rota.OnMaster(func(m *master.Master) {
		fmt.Fprintln(os.Stderr, "first", os.Getpid(), len(m.Workers()))
		m.Subscribe(master.Events{Message: func(w *master.Worker, msg ipc.Message) {
			fmt.Fprintf(os.Stderr, "worker %d says %v\n", w.ID(), msg)
		}})
	})
	rota.OnMaster(func(*master.Master) { fmt.Fprintln(os.Stderr, "second") })
	ln := server.MustListen()
	_ = worker.Self().Send("hello")
	log.Fatal(http.Serve(ln, handler))
}

// The functions of OnMaster are called once, in the master and in its process, before the first
// worker is started; in the new master of an upgrade too. What workers send is handled.
func TestOnMaster(t *testing.T) {
	t.Parallel()
	cfg := quick
	cfg.Workers = 2
	p := e2etest.Start(t, "OnMaster", cfg)
	p.WaitOutput("says \"hello\"", 2)
	p.Reload()
	p.WaitOutput("says \"hello\"", 4)
	if n := p.Log.Count(fmt.Sprintln("first", p.PID(), 0)); n != 1 || p.Log.Count("second\n") != 1 {
		t.Errorf("the first function was called %d times in the master %d, want 1:\n%s", n, p.PID(), p.Log)
	}
	p.Upgrade()
	p.WaitOutput("says \"hello\"", 6)
	if n := p.Log.Count(fmt.Sprintln("first", p.PID(), 0)); n != 1 {
		t.Errorf("it was called %d times in the new master %d, want 1:\n%s", n, p.PID(), p.Log)
	}
}

// ownMaster is a program that makes its master itself.
func ownMaster() {
	if rota.IsWorker() {
		log.Fatal(http.Serve(server.MustListen(), handler))
	}
	m, err := master.New(quick)
	if err != nil {
		log.Fatal(err)
	}
	err = rota.Run(context.Background(), m)
	fmt.Fprintln(os.Stderr, "run has returned", err, errors.Is(err, master.ErrClosed))
	if os.Getenv(e2etest.FlagsEnv) == "stay" {
		select {}
	}
}

// A program with its own master gets the signals of rota.Listen's, and ROTA_WORKERS.
func TestRun(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "own master", master.Config{Workers: 2}, "ROTA_WORKERS=2")
	p.WaitChildren(2)
	p.Reload()
	p.WaitChildren(2)
	p.Signal(syscall.SIGTTIN)
	p.WaitChildren(3)
	p.Upgrade()
	p.WaitOutput("run has returned <nil> false", 1)
	p.WaitChildren(3)
	busy := p.InFlight("/?sleep=300ms")
	p.Signal(syscall.SIGTERM)
	e2etest.NoError(t, <-busy)
	p.WaitOutput("run has returned <nil> false", 2)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

func TestRunIsInterrupted(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "own master", master.Config{Workers: 1})
	busy := p.InFlight("/?sleep=1m")
	p.Signal(syscall.SIGINT)
	p.WaitLog(e2etest.StopStarts, 1)
	p.Signal(syscall.SIGINT)
	p.WaitOutput("run has returned run: master is closed true", 1)
	p.Wait()
	<-busy
}

// When Run has returned, signals do what they did before.
func TestRunGivesSignalsBack(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "own master", master.Config{Workers: 1}, e2etest.FlagsEnv+"=stay")
	p.Signal(syscall.SIGTERM)
	p.WaitOutput("run has returned", 1)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status == 0 {
		t.Error("exit status 0, want the end by the signal")
	}
}
