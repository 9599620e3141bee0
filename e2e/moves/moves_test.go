//go:build linux

package moves

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// Clients that send without a pause, with pauses, and requests with bodies keep their
// connections through reloads, and no request is lost.
func TestReloadsUnseen(t *testing.T) {
	for _, workers := range []int{1, 4} {
		t.Run(e2etest.Plural(workers), func(t *testing.T) {
			p := e2etest.Start(t, "serve", server.Quick(workers))
			load := e2etest.NewLoad()
			keepers(load, p.Addr(), e2etest.Get("/"), 4, 0)
			keepers(load, p.Addr(), e2etest.Get("/"), 16, 30*time.Millisecond)
			keepers(load, p.Addr(), e2etest.Post("/", 1000), 4, 0)
			keepers(load, p.Addr(), e2etest.Get("/?sleep=20ms"), 4, 0)
			for range 5 {
				load.Goes(t, 100)
				p.Reload()
			}
			load.Goes(t, 100)
			load.MustBeWhole(t)
		})
	}
}

// Connections that wait for a request move at once, all of them, and the old worker ends
// soon after it was told to.
func TestIdleConnectionsMove(t *testing.T) {
	n := 1000
	if os.Getenv("ROTA_E2E_LONG") != "" {
		n = 5000
	}
	cfg := server.Quick(1)
	cfg.IdleGrace = time.Minute // longer than the end of the old worker is waited for
	p := e2etest.Start(t, "serve", cfg)
	crowd := newCrowd(t, p.Addr(), n)
	crowd.ask(t)
	old := p.Children()[0]
	began := time.Now()
	p.Reload()
	e2etest.WaitFor(t, "the end of the old worker", func() bool { return !e2etest.Alive(old) })
	gone := time.Since(began)
	bodies := crowd.ask(t)
	if len(bodies) != 1 {
		t.Errorf("the answers come from %v", bodies)
	}
	for body := range bodies {
		if !strings.HasPrefix(body, "generation 2 ") {
			t.Errorf("the answers come from %s", body)
		}
	}
	t.Logf("%d connections; the old worker was gone %v after the reload began", n, gone)
}

// The first hundred connections are still there after many reloads, and nothing is left of
// the workers before: master and worker have as many descriptors, and as much memory, as at the start.
func TestManyReloads(t *testing.T) {
	warm, reloads := 2, 20
	if e2etest.Long() {
		warm, reloads = 200, 1000 // the heap of a master doesn't grow any more then
	}
	p := e2etest.Start(t, "serve", server.Quick(1))
	crowd := newCrowd(t, p.Addr(), 100)
	crowd.ask(t)
	for range warm {
		p.Reload()
	}
	p.WaitChildren(1)
	before := useOf(p)
	for range reloads {
		p.Reload()
	}
	p.WaitChildren(1)
	e2etest.WaitFor(t, "the descriptors of before", func() bool { return useOf(p).descriptors <= before.descriptors })
	after := useOf(p)
	t.Logf("%d reloads: %+v, and then %+v", reloads, before, after)
	if e2etest.Long() && after.kB > before.kB+2000 {
		t.Errorf("master and worker use %d kB, and %d kB before", after.kB, before.kB)
	}
	crowd.wantAnswersOf(t, warm+reloads+1)
}

// use is what master and worker use.
type use struct{ descriptors, kB int }

func useOf(p *e2etest.Process) use {
	worker := p.Children()[0]
	return use{e2etest.Descriptors(p.PID()) + e2etest.Descriptors(worker), e2etest.ResidentKB(p.PID()) + e2etest.ResidentKB(worker)}
}

// Clients keep their connections when the master is replaced, too: they go from its workers
// to those of the new one.
func TestUpgradesUnseen(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(2))
	crowd := newCrowd(t, p.Addr(), 40)
	crowd.ask(t)
	load := e2etest.NewLoad()
	keepers(load, p.Addr(), e2etest.Get("/"), 4, time.Millisecond)
	keepers(load, p.Addr(), e2etest.Get("/?sleep=20ms"), 4, 0)
	for range 3 {
		load.Goes(t, 100)
		old := p.Children()
		p.Upgrade()
		e2etest.WaitFor(t, "the end of the old workers", func() bool { return !e2etest.Alive(old[0]) && !e2etest.Alive(old[1]) })
	}
	load.Goes(t, 100)
	load.MustBeWhole(t)
	for body := range crowd.ask(t) {
		if !strings.HasPrefix(body, "generation 4 ") {
			t.Errorf("%s answers after three upgrades", body)
		}
	}
}

// A worker that leaves for another reason gives its connections to one of another slot.
func TestScaleDown(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(3))
	crowd := newCrowd(t, p.Addr(), 60)
	crowd.ask(t)
	p.Signal(syscall.SIGTTOU)
	p.WaitChildren(2)
	p.Signal(syscall.SIGTTOU)
	p.WaitChildren(1)
	if bodies := crowd.ask(t); len(bodies) != 1 {
		t.Errorf("the answers come from %v", bodies)
	}
}

// A worker that is told to leave by a signal gives its connections away, too.
func TestTermToWorker(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	crowd := newCrowd(t, p.Addr(), 40)
	crowd.ask(t)
	old := p.Children()[0]
	e2etest.NoError(t, syscall.Kill(old, syscall.SIGTERM))
	e2etest.WaitFor(t, "the end of the worker", func() bool { return !e2etest.Alive(old) })
	for body := range crowd.ask(t) {
		if strings.Contains(body, "pid "+strconv.Itoa(old)+"\n") {
			t.Errorf("%s answers, which is gone", body)
		}
	}
}

// In a roll-back connections move back.
func TestRollBack(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "dies-second", master.Config{Workers: 2, MinUptime: 2 * time.Second})
	crowd := newCrowd(t, p.Addr(), 40)
	crowd.ask(t)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.ReloadFailed, 1)
	p.WaitIdle(2)
	for body := range crowd.ask(t) {
		if !strings.HasPrefix(body, "generation 1 ") {
			t.Errorf("%s answers after the roll-back", body)
		}
	}
}

// A listener whose connections aren't looked at keeps them: the client is told nothing, and
// the answer at the end of the grace comes from the old worker.
func TestOpaqueStays(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "opaque", master.Config{MinUptime: -1, Grace: time.Minute})
	crowd := newCrowd(t, p.Addr(), 1)
	crowd.ask(t)
	p.Reload()
	for body := range crowd.ask(t) {
		if !strings.HasPrefix(body, "generation 1 ") {
			t.Errorf("%s answers", body)
		}
	}
}

// A stop tells clients to go, as there is nobody to give their connections to.
func TestStopTellsClients(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(1), "ROTA_LOG=debug")
	crowd := newCrowd(t, p.Addr(), 1)
	answer, gate := make(chan bool, 1), server.NewGate(t)
	go func() {
		_, closes, err := crowd.conns[0].RoundTrip(e2etest.Get(gate.Path))
		answer <- closes && err == nil
	}()
	p.WaitOutput(e2etest.Handling(gate.Path), 1)
	p.Signal(syscall.SIGTERM)
	p.WaitLog(e2etest.WorkerDrains, 1)
	gate.Open()
	if !<-answer {
		t.Error("the answer doesn't say that the connection is closed")
	}
	p.Wait()
}

// A receiver that is stopped by a signal gets no connection; the clients get Connection: close, and
// nothing is lost.
func TestStoppedReceiver(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	load := e2etest.StartKeepAlive(p.Addr(), e2etest.Get("/"), 8, time.Millisecond)
	load.Goes(t, 100)
	workers := p.Children()
	e2etest.StandStill(t, workers[1])
	e2etest.NoError(t, syscall.Kill(workers[0], syscall.SIGTERM))
	e2etest.WaitFor(t, "the end of the worker", func() bool { return !e2etest.Alive(workers[0]) })
	e2etest.NoError(t, syscall.Kill(workers[1], syscall.SIGCONT))
	load.Goes(t, 100)
	load.MustBeWhole(t)
}

// If the receiver is killed while it takes connections, those that it has are lost, and no
// other.
func TestKilledReceiver(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "serve", server.Quick(2))
	crowd := newCrowd(t, p.Addr(), 400)
	crowd.ask(t)
	workers := p.Children()
	e2etest.NoError(t, syscall.Kill(workers[0], syscall.SIGTERM))
	e2etest.Kill(t, workers[1])
	e2etest.WaitFor(t, "both ends", func() bool { return !e2etest.Alive(workers[0]) && !e2etest.Alive(workers[1]) })
	p.WaitIdle(2)
	if body, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Errorf("%s, %v", body, err)
	}
}

// A receiver that can't open descriptors takes what it can; the other clients get Connection: close.
func TestReceiverWithoutDescriptors(t *testing.T) {
	p := e2etest.Start(t, "few-descriptors", server.Quick(1))
	load := e2etest.StartKeepAlive(p.Addr(), e2etest.Get("/"), 60, 5*time.Millisecond)
	load.Goes(t, 200)
	for range 3 {
		p.Reload()
		load.Goes(t, 200)
	}
	load.MustBeWhole(t)
}
