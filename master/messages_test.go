//go:build linux

package master

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// slow subscribes a function that handles a message when it is let, and counts.
func (w *world) slow() (let chan struct{}, handled *int) {
	let, handled = make(chan struct{}), new(int)
	w.Subscribe(Events{Message: func(_ *Worker, m ipc.Message) {
		<-let
		var n int
		if err := m.Decode(&n); err != nil || n != *handled {
			w.t.Errorf("message %v, want number %d", m, *handled)
		}
		*handled++
	}})
	return let, handled
}

// flood sends numbered messages in batches of a hundred, none of which is small.
func (a *actor) flood(batches int) {
	n := 0
	for range batches {
		batch := make([]link.Packet, 100)
		for i := range batch {
			batch[i] = messagePacket(n)
			n++
		}
		a.link.deliver(batch...)
	}
}

const batches = 1000 // of flood: more than ten times what may wait

// A worker that sends faster than the program handles isn't read. The others don't
// notice, and nothing is lost or out of order.
func TestFloodIsNotRead(t *testing.T) {
	inWorld(t, func(w *world) {
		let, handled := w.slow()
		_, a := w.fork()
		a.flood(batches)
		if left := a.link.waiting(); left < batches/2 {
			t.Errorf("%d of %d batches were read, though nothing was handled", batches-left, batches)
		}
		w.fork()
		other, _ := w.fork()
		check(t, "another worker's state", other.State(), Online)
		close(let)
		check(t, "batches unread", a.link.waiting(), 0)
		check(t, "handled", *handled, 100*batches)
	})
}

// A worker that leaves is read to the end, so that its link can close: what it has
// sent is delivered though the program is slow.
func TestFloodOfOneThatLeaves(t *testing.T) {
	inWorld(t, func(w *world) {
		let, handled := w.slow()
		w.behave = (*actor).hello
		worker, a := w.fork()
		a.flood(batches)
		a.link.hangUp()
		_ = worker.Disconnect()
		check(t, "batches unread", a.link.waiting(), 0)
		check(t, "State", worker.State(), Disconnected)
		close(let)
		synctest.Wait()
		check(t, "handled", *handled, 100*batches)
		a.die(Exit{})
	})
}

// So is one that has died.
func TestFloodOfOneThatDies(t *testing.T) {
	inWorld(t, func(w *world) {
		let, handled := w.slow()
		worker, a := w.fork()
		a.flood(batches)
		a.die(Exit{Code: 1})
		<-worker.Exited()
		close(let)
		synctest.Wait()
		check(t, "handled", *handled, 100*batches)
	})
}

// A function that closes the master while messages wait for it is no deadlock.
func TestCloseDuringFlood(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Subscribe(Events{Message: func(*Worker, ipc.Message) { _ = w.Close() }})
		_, a := w.fork()
		a.flood(batches)
		w.soon("Close", func() { _ = w.Close() })
	})
}

// Messages that nobody subscribes to are kept up to a bound, and stall nobody.
func TestFloodForNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		worker, a := w.fork()
		a.flood(batches)
		check(t, "batches unread", a.link.waiting(), 0)
		n := 0
		worker.Subscribe(Events{Message: func(_ *Worker, m ipc.Message) {
			if m.String() != fmt.Sprint(n) {
				t.Errorf("message %v, want number %d: the earliest are kept", m, n)
			}
			n++
		}})
		synctest.Wait()
		if cost := n * message.Cost(messagePacket(n)); n == 0 || cost > 2*delivery.MaxWaiting {
			t.Errorf("%d messages were kept, which is %d bytes: want about %d", n, cost, delivery.MaxWaiting)
		}
		check(t, "warnings", strings.Count(w.log(), "nobody has subscribed"), 1)
	})
}

func TestSend(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = nil
		worker, a := w.fork()
		for _, v := range []any{"hi there", map[string]int{"n": 1}, nil} {
			if err := worker.Send(v); err != nil {
				t.Errorf("Send(%v): %v", v, err)
			}
		}
		if got := fmt.Sprint(a.link.got(wire.Message)); got != `["hi there" {"n":1} null]` {
			t.Errorf("sent %s", got)
		}
	})
}

func TestSendFails(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	inWorld(t, func(w *world) {
		worker, a := w.fork()
		var unsupported interface{ Error() string }
		if err := worker.Send(math.Inf(1)); !errors.As(err, &unsupported) {
			t.Errorf("no JSON: %v", err)
		}
		if err := worker.Send("x", ipc.FromFile(file)); !errors.Is(err, ipc.ErrHandle) {
			t.Errorf("closed file: %v", err)
		}
		if err := worker.Send("x", nil); !errors.Is(err, ipc.ErrHandle) {
			t.Errorf("empty handle: %v", err)
		}
		a.link.full = true
		if err := worker.Send("x"); !errors.Is(err, ErrQueueFull) || !errors.Is(err, ipc.ErrQueueFull) {
			t.Errorf("full queue: %v", err)
		}
		a.die(Exit{})
		<-worker.Exited()
		if err := worker.Send("x"); !errors.Is(err, ErrDisconnected) || !errors.Is(err, ipc.ErrDisconnected) {
			t.Errorf("dead worker: %v", err)
		}
	})
}

// A function may send to a worker as soon as it hears of it.
func TestSendInFork(t *testing.T) {
	inWorld(t, func(w *world) {
		var err error
		w.Subscribe(Events{Fork: func(x *Worker) { err = x.Send("welcome") }})
		_, a := w.fork()
		check(t, "messages", len(a.link.got(wire.Message)), 1)
		check(t, "error", err, nil)
	})
}

// Handles that no function uses are closed: without a subscriber, when the function ignores them,
// when it panics, and when it is too slow for Close. inWorld checks it.
func TestHandlesAreClosed(t *testing.T) {
	for name, f := range map[string]func(*Worker, ipc.Message){
		"ignored": func(*Worker, ipc.Message) {},
		"panic":   func(*Worker, ipc.Message) { panic("on purpose") },
		"slow":    func(*Worker, ipc.Message) { time.Sleep(time.Second) },
		"taken":   take,
		"nobody":  nil,
	} {
		for _, end := range []string{"dies", "closed"} {
			t.Run(name+" and "+end, func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.Subscribe(Events{Message: f})
					worker, a := w.fork()
					a.link.deliver(messagePacket(1, null(t), null(t)), messagePacket(2, null(t)))
					synctest.Wait()
					if end == "dies" {
						a.link.deliver(messagePacket(3, null(t)))
						a.die(Exit{})
						<-worker.Exited()
					}
				})
			})
		}
	}
}

func take(_ *Worker, m ipc.Message) {
	for _, h := range m.Handles {
		if f, err := h.File(); err == nil {
			f.Close()
		}
		if _, err := h.File(); !errors.Is(err, ipc.ErrHandle) {
			panic("taken twice")
		}
	}
}

// null is a descriptor of its own.
func null(t *testing.T) *descriptor.FD {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := descriptor.DupOf(f)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// A worker that is nonsense, or of another protocol, gets no further.
func TestNonsense(t *testing.T) {
	for name, p := range map[string]link.Packet{
		"no hello":             {Frame: wire.Frame{Type: wire.Ready}},
		"message before hello": messagePacket("x"),
		"a master's frame":     {Frame: wire.Frame{Type: wire.Welcome}},
		"bad body":             {Frame: wire.Frame{Type: wire.Hello, Body: []byte("}")}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.record()
				w.behave = nil
				_, a := w.fork()
				p.Files = append(p.Files, null(t))
				a.link.deliver(p, messagePacket("after"))
				w.expect("setup", "fork 1", "disconnect 1")
				other, _ := w.Fork(nil)
				a2 := w.actor(other.ID())
				a2.hello()
				synctest.Wait()
				check(t, "another worker's state", other.State(), Online)
				a.die(Exit{})
				a2.die(Exit{})
				_ = w.Disconnect(context.Background())
			})
		})
	}
}

// A worker's end of the link may be open in another process, which a package of the worker's
// program has started before the link was inherited. The end of the worker's process is the
// end of the link all the same, at once, and after what the worker has sent.
func TestLinkEndsWithTheProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		w.record()
		w.behave = nil
		worker, a := w.fork()
		a.hello()
		a.link.deliver(messagePacket("last"))
		begin := time.Now()
		a.exit <- Exit{Code: 1} // its link stays open
		<-worker.Exited()
		check(t, "time", time.Since(begin), 0)
		w.expect("setup", "fork 1", "online 1", `message 1 "last"`, "disconnect 1", "exit 1 exit status 1")
	})
}
