//go:build linux

package master

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// What a Worker answers, in every state that it can be in.
func TestWorkerAnswers(t *testing.T) {
	nothing := func(*Worker, *actor) {}
	for _, tc := range []struct {
		name      string
		behave    func(*actor)
		do        func(*Worker, *actor)
		state     State
		connected bool
		voluntary string
	}{
		{"starting", nil, nothing, Starting, true, "unknown"},
		{"online", (*actor).polite, nothing, Online, true, "unknown"},
		{"asked to disconnect, starting", nil, disconnects, Draining, true, "yes"},
		{"asked to disconnect, online", (*actor).hello, disconnects, Draining, true, "yes"},
		{"asked to disconnect, and online then", nil, func(w *Worker, a *actor) { _ = w.Disconnect(); synctest.Wait(); a.hello() }, Draining, true, "yes"},
		{"leaves by itself", (*actor).hello, leavesByItself, Draining, true, "yes"},
		{"link closed", (*actor).hello, func(_ *Worker, a *actor) { leavesByItself(nil, a); a.link.hangUp() }, Disconnected, false, "yes"},
		{"link lost", (*actor).hello, func(_ *Worker, a *actor) { a.link.hangUp() }, Disconnected, false, "unknown"},
		{"has left", (*actor).polite, disconnects, Dead, false, "yes"},
		{"crashed", (*actor).hello, func(_ *Worker, a *actor) { a.die(Exit{Code: 2}) }, Dead, false, "no"},
		{"killed", (*actor).hello, func(w *Worker, _ *actor) { _ = w.Kill(nil) }, Dead, false, "yes"},
		{"killed by somebody else", (*actor).hello, func(_ *Worker, a *actor) { _ = a.signal(syscall.SIGTERM) }, Dead, false, "no"},
		{"signalled, and lives", (*actor).hello, func(w *Worker, _ *actor) { _ = w.Kill(syscall.SIGHUP) }, Online, true, "yes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.behave = tc.behave
				worker, a := w.fork()
				tc.do(worker, a)
				synctest.Wait()
				check(t, "State", worker.State(), tc.state)
				check(t, "IsConnected", worker.IsConnected(), tc.connected)
				check(t, "IsDead", worker.IsDead(), tc.state == Dead)
				check(t, "Voluntary", voluntaryText(worker), tc.voluntary)
				check(t, "is among Workers", slices.Contains(w.Workers(), worker), tc.state != Dead)
				check(t, "is what Worker returns", w.Worker(worker.ID()) == worker, tc.state != Dead)
				if tc.state == Dead {
					checkDead(t, worker)
					check(t, "Voluntary of the dead", voluntaryText(worker), tc.voluntary)
				}
			})
		})
	}
}

func disconnects(w *Worker, _ *actor)    { _ = w.Disconnect() }
func leavesByItself(_ *Worker, a *actor) { a.say(wire.Draining, nil) }

func voluntaryText(w *Worker) string {
	yes, known := w.Voluntary()
	switch {
	case !known:
		return "unknown"
	case yes:
		return "yes"
	}
	return "no"
}

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Voluntary is true before anything else has happened.
func TestVoluntaryAtOnce(t *testing.T) {
	for name, ask := range map[string]func(*Worker){
		"Disconnect": func(w *Worker) { _ = w.Disconnect() },
		"Kill":       func(w *Worker) { _ = w.Kill(nil) },
	} {
		inWorld(t, func(w *world) {
			worker, _ := w.fork()
			ask(worker)
			check(t, "Voluntary after "+name, voluntaryText(worker), "yes")
		})
	}
}

// The order to leave is given once, however often it is asked for.
func TestDisconnectTwice(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = (*actor).hello
		worker, a := w.fork()
		for range 3 {
			_ = worker.Disconnect()
		}
		check(t, "orders", len(a.link.got(wire.Disconnect)), 1)
	})
}

func TestKillSendsTheSignal(t *testing.T) {
	inWorld(t, func(w *world) {
		worker, a := w.fork()
		_ = worker.Kill(syscall.SIGHUP)
		_ = worker.Kill(nil)
		<-worker.Exited()
		_ = worker.Kill(nil)
		if got := a.signalled(); len(got) != 2 || got[0] != syscall.SIGHUP || got[1] != syscall.SIGTERM {
			t.Errorf("signals %v, want SIGUSR1 and one SIGTERM", got)
		}
	})
}

// A signal for a worker that is being started waits for it.
func TestKillBeforeStart(t *testing.T) {
	inWorld(t, func(w *world) {
		w.hold = make(chan struct{})
		go func() { _, _ = w.Fork(nil) }()
		synctest.Wait()
		workers := w.Workers()
		if len(workers) != 1 {
			t.Fatalf("workers %v", workers)
		}
		_ = workers[0].Kill(nil)
		close(w.hold)
		<-workers[0].Exited()
		check(t, "SIGTERM", slices.Contains(w.actor(1).signalled(), os.Signal(syscall.SIGTERM)), true)
	})
}

// Everything at once on eight workers.
func TestEverythingAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.record()
		var group sync.WaitGroup
		for range 8 {
			worker, a := w.fork()
			for _, f := range []func(){
				func() { _ = worker.Disconnect() },
				func() { _ = worker.Kill(nil) },
				func() { _ = worker.Send("hello") },
				func() { worker.Subscribe(Events{})() },
				func() { _ = w.Disconnect(context.Background()) },
				func() { a.say(wire.Draining, nil) },
				func() { a.say(wire.Retire, nil) },
				func() { a.die(Exit{Code: 1}) },
			} {
				group.Add(2)
				go func() { defer group.Done(); f() }()
				go func() { defer group.Done(); f() }()
			}
		}
		w.soon("everything", group.Wait)
		check(t, "exits", count(w.delivered(), "exit "), 8)
		check(t, "workers left", len(w.Workers()), 0)
	})
}

func TestDisconnectAllOfNone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.soon("Disconnect", func() {
			if err := w.Disconnect(context.Background()); err != nil {
				t.Error(err)
			}
		})
	})
}

// It returns when the last has gone, not the first.
func TestDisconnectAllWaitsForTheLast(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = nil
		for range 3 {
			w.fork()
		}
		for id := 1; id <= 3; id++ {
			a := w.actor(id)
			a.hello()
			time.AfterFunc(time.Duration(id)*time.Second, a.leave)
		}
		began := time.Now()
		if err := w.Disconnect(context.Background()); err != nil {
			t.Fatal(err)
		}
		check(t, "time taken", time.Since(began), 3*time.Second)
	})
}

// A context that ends first changes nothing for the workers.
func TestDisconnectAllGivenUp(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = (*actor).hello
		worker, a := w.fork()
		time.AfterFunc(2*time.Second, a.leave)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := w.Disconnect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's", err)
		}
		check(t, "State", worker.State(), Draining)
		<-worker.Exited()
		check(t, "signals", len(a.signalled()), 0)
	})
}

// One that doesn't leave is made to, by SIGTERM and then SIGKILL.
func TestDisconnectForces(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = (*actor).hello
		worker, a := w.fork()
		_ = worker.Disconnect()
		<-worker.Exited()
		check(t, "signalled with", a.signalled()[0].(syscall.Signal), syscall.SIGTERM)
	})
}

// A link that is lost ends the worker's service: it is told by EOF.
func TestLinkLost(t *testing.T) {
	inWorld(t, func(w *world) {
		w.record()
		_, a := w.fork()
		a.link.end(link.ErrClosed)
		w.expect("setup", "fork 1", "online 1", "disconnect 1")
		a.die(Exit{})
	})
}
