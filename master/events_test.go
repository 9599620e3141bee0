//go:build linux

package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

func TestEventsInOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.record()
		worker, a := w.fork()
		a.message("one", "two")
		synctest.Wait()
		if err := worker.Disconnect(); err != nil {
			t.Fatal(err)
		}
		w.expect("setup", "fork 1", "online 1", `message 1 "one"`, `message 1 "two"`, "disconnect 1", "exit 1 exit status 0")
	})
}

// Hello and messages in one read are handled in that order, though messages alone go
// past the loop.
func TestMessagesBehindHello(t *testing.T) {
	inWorld(t, func(w *world) {
		w.record()
		w.behave = nil
		_, a := w.fork()
		hello := link.Packet{Frame: wire.Frame{Type: wire.Hello, Body: wire.Body(wire.HelloBody{Min: 1, Max: 1})}}
		a.link.deliver(hello, messagePacket("one"), messagePacket("two"))
		a.message("three")
		a.leave()
		w.expect("setup", "fork 1", "online 1", `message 1 "one"`, `message 1 "two"`, `message 1 "three"`, "disconnect 1", "exit 1 exit status 0")
	})
}

func TestSetupEventOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.record()
		if err := w.Setup(Config{Args: []string{"--use", "https"}}); err != nil {
			t.Fatal(err)
		}
		w.fork()
		w.fork()
		w.expect("setup", "fork 1", "online 1", "fork 2", "online 2")
	})
}

// Every worker that couldn't be started ends with one Exit that says why.
func TestExitOfWhatNeverStarted(t *testing.T) {
	for _, why := range []error{syscall.ENOENT, syscall.EMFILE, syscall.EAGAIN, syscall.ENOMEM, os.ErrPermission} {
		t.Run(why.Error(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.record()
				w.failing = fmt.Errorf("start: %w", why)
				worker, _ := w.fork()
				w.expect("setup", "fork 1", "exit 1 start: "+why.Error())
				checkDead(t, worker)
				if yes, known := worker.Voluntary(); yes || !known {
					t.Errorf("Voluntary = %v, %v: want known, and false", yes, known)
				}
			})
		})
	}
}

// checkDead: what a dead worker is asked for, it answers, and does nothing.
func checkDead(t *testing.T, w *Worker) {
	t.Helper()
	if !w.IsDead() || w.IsConnected() || w.State() != Dead {
		t.Errorf("IsDead %v, IsConnected %v, State %v", w.IsDead(), w.IsConnected(), w.State())
	}
	select {
	case <-w.Exited():
	default:
		t.Error("Exited is not closed")
	}
	for range 2 {
		if err := w.Disconnect(); err != nil {
			t.Errorf("Disconnect: %v", err)
		}
		if err := w.Kill(nil); err != nil {
			t.Errorf("Kill: %v", err)
		}
	}
	if err := w.Send("too late"); !errors.Is(err, ErrDisconnected) {
		t.Errorf("Send: %v, want ErrDisconnected", err)
	}
}

func TestPanicsHurtNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Subscribe(Events{
			Setup:      func(Config) { panic("in setup") },
			Fork:       func(*Worker) { panic("in fork") },
			Online:     func(*Worker) { panic("in online") },
			Message:    func(*Worker, ipc.Message) { panic("in message") },
			Disconnect: func(*Worker) { panic("in disconnect") },
			Exit:       func(*Worker, Exit) { panic("in exit") },
		})
		w.record()
		worker, a := w.fork()
		a.message("one")
		synctest.Wait()
		_ = worker.Disconnect()
		w.expect("setup", "fork 1", "online 1", `message 1 "one"`, "disconnect 1", "exit 1 exit status 0")
		for _, event := range []string{"setup", "fork", "online", "message", "disconnect", "exit"} {
			if !strings.Contains(w.log(), "panic=\"in "+event) {
				t.Errorf("the log doesn't have the panic in %s", event)
			}
		}
	})
}

// Neither does one that ends its goroutine, as t.FailNow in a test does.
func TestGoexitHurtsNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		n := 0
		w.Subscribe(Events{
			Online:     func(*Worker) { runtime.Goexit() },
			Message:    func(*Worker, ipc.Message) { n++; runtime.Goexit() },
			Disconnect: func(*Worker) { runtime.Goexit() },
		})
		exits := 0
		w.Subscribe(Events{Exit: func(*Worker, Exit) { exits++ }})
		worker, a := w.fork()
		a.message("one", "two")
		a.message("three")
		synctest.Wait()
		_ = worker.Disconnect()
		synctest.Wait()
		check(t, "messages", n, 3)
		check(t, "exits", exits, 1)
	})
}

// A function may call anything of the master, whatever that waits for.
func TestFunctionsCallAnything(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]func(*world, *Worker){
		"Fork":               func(w *world, _ *Worker) { _, _ = w.Fork(nil) },
		"Reload":             func(w *world, _ *Worker) { _ = w.Reload(ctx) },
		"Setup":              func(w *world, _ *Worker) { _ = w.Setup(Config{}) },
		"Scale":              func(w *world, _ *Worker) { _ = w.Scale(3) },
		"Workers":            func(w *world, x *Worker) { _ = w.Workers(); _ = w.Worker(x.ID()); _ = w.Settings() },
		"Subscribe":          func(w *world, x *Worker) { w.Subscribe(Events{})(); x.Subscribe(Events{})() },
		"Send":               func(w *world, x *Worker) { _ = x.Send("hello") },
		"Kill":               func(w *world, x *Worker) { _ = x.Kill(nil) },
		"its own Disconnect": func(w *world, x *Worker) { _ = x.Disconnect() },
		"Disconnect":         func(w *world, _ *Worker) { _ = w.Disconnect(ctx) },
		"Close":              func(w *world, _ *Worker) { _ = w.Close() },
	} {
		for _, event := range []string{"fork", "online", "message", "disconnect", "exit"} {
			t.Run(name+" in "+event, func(t *testing.T) {
				inWorld(t, func(w *world) { callIn(w, event, call) })
			})
		}
	}
}

// callIn has call made in the first event of that name.
func callIn(w *world, event string, call func(*world, *Worker)) {
	returned, begun := make(chan struct{}), false
	do := func(x *Worker) {
		if !begun {
			begun = true
			call(w, x)
			close(returned)
		}
	}
	events := map[string]Events{
		"fork": {Fork: do}, "online": {Online: do}, "disconnect": {Disconnect: do},
		"message": {Message: func(x *Worker, _ ipc.Message) { do(x) }},
		"exit":    {Exit: func(x *Worker, _ Exit) { do(x) }},
	}
	w.Subscribe(events[event])
	w.record()
	worker, a := w.fork()
	a.message("one")
	synctest.Wait()
	_ = worker.Disconnect()
	w.soon("the call", func() { <-returned })
	if n := count(w.delivered(), "exit 1 "); n != 1 {
		w.t.Errorf("%d exits, want one: %q", n, w.delivered())
	}
}

func count(lines []string, prefix string) (n int) {
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

// A function that takes its time delays other functions, and no worker and no call.
func TestSlowFunctionStallsNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		slow := make(chan struct{})
		w.Subscribe(Events{Online: func(*Worker) { <-slow }})
		for range 3 {
			worker, _ := w.fork()
			if worker.State() != Online {
				t.Errorf("worker %d is %v, want online", worker.ID(), worker.State())
			}
		}
		w.soon("Disconnect", func() { _ = w.Disconnect(context.Background()) })
		close(slow)
	})
}

// The classic: a worker that dies is replaced by the program itself.
func TestForkInExit(t *testing.T) {
	inWorld(t, func(w *world) {
		w.record()
		cancel := w.Subscribe(Events{Exit: func(*Worker, Exit) { _, _ = w.Fork(nil) }})
		w.fork()
		for id := 1; id <= 3; id++ {
			w.actor(id).die(Exit{Code: 1})
			synctest.Wait()
		}
		cancel()
		if got := w.Workers(); len(got) != 1 || got[0].ID() != 4 {
			t.Errorf("workers %v, want number 4 alone", got)
		}
	})
}

// Who subscribes to a worker after Fork misses nothing, however late it is.
func TestLateSubscriber(t *testing.T) {
	inWorld(t, func(w *world) {
		worker, a := w.fork()
		a.message("early")
		synctest.Wait()
		worker.Subscribe(w.recorder("first: "))
		worker.Subscribe(w.recorder("second: "))
		synctest.Wait()
		a.message("late")
		synctest.Wait()
		_ = worker.Disconnect()
		<-worker.Exited()
		worker.Subscribe(w.recorder("third: "))
		w.expect("first: online 1", `first: message 1 "early"`, "second: online 1",
			`first: message 1 "late"`, `second: message 1 "late"`,
			"first: disconnect 1", "second: disconnect 1",
			"first: exit 1 exit status 0", "second: exit 1 exit status 0",
			"third: online 1", "third: disconnect 1", "third: exit 1 exit status 0")
	})
}

// Messages that came before the first subscription go to that subscriber, for all
// workers too. Other events of the past are not repeated there.
func TestEarlyMessagesForAll(t *testing.T) {
	inWorld(t, func(w *world) {
		_, a := w.fork()
		a.message("early")
		synctest.Wait()
		w.record()
		w.expect(`message 1 "early"`)
	})
}

func TestCancelledIsNotCalled(t *testing.T) {
	inWorld(t, func(w *world) {
		var cancel func()
		n := 0
		cancel = w.Subscribe(Events{Message: func(*Worker, ipc.Message) { n++; cancel() }})
		_, a := w.fork()
		a.message("one", "two", "three")
		synctest.Wait()
		if n != 1 {
			t.Errorf("called %d times, the first of which cancelled", n)
		}
	})
}

// Nobody may wait for an event of a master that is closed.
func TestSubscribeAfterClose(t *testing.T) {
	inWorld(t, func(w *world) {
		worker, _ := w.fork()
		_ = w.Close()
		w.Subscribe(Events{})()
		worker.Subscribe(Events{})()
		if _, err := w.Fork(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Fork: %v, want ErrClosed", err)
		}
		checkDead(t, worker)
		time.Sleep(time.Second)
	})
}
