//go:build linux

package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
)

// inbox returns a channel with the messages of a worker.
func inbox(w *master.Worker) <-chan string {
	c := make(chan string, 100_000)
	w.Subscribe(master.Events{Message: func(_ *master.Worker, m ipc.Message) { c <- m.String() }})
	return c
}

func sendTo(t testing.TB, w *master.Worker, v any, handles ...ipc.Handle) {
	t.Helper()
	if err := w.Send(v, handles...); err != nil {
		t.Fatal(err)
	}
}

// A message sent right after Fork arrives, before the worker reads any.
func TestMessageRightAfterForkArrives(t *testing.T) {
	c := newCluster(t, "echo")
	w := c.fork(nil)
	sendTo(t, w, "hi there")
	sendTo(t, w, notice{Cmd: "notifyRequest", N: 7})
	got := inbox(w)
	for _, want := range []string{`"hi there"`, `{"cmd":"notifyRequest","n":7}`} {
		if s := e2etest.Await(t, "the echo", got); s != want {
			t.Errorf("%s came back, want %s", s, want)
		}
	}
	c.disconnect()
}

// Large and small messages arrive whole and in order.
func TestLargeMessagesArriveInOrder(t *testing.T) {
	c := newCluster(t, "echo")
	w := c.fork(nil)
	got := inbox(w)
	for i := range 10 {
		large := fmt.Sprint(i, strings.Repeat("x", 1<<20))
		sendTo(t, w, large)
		sendTo(t, w, i)
		if s := e2etest.Await(t, "the large one", got); s != `"`+large+`"` {
			t.Fatalf("%d bytes came back, want %d", len(s), len(large)+2)
		}
		if s := e2etest.Await(t, "the small one", got); s != fmt.Sprint(i) {
			t.Fatalf("%.40s came back, want %d", s, i)
		}
	}
}

// Many messages arrive whole and in order, though the sender disconnects right after the
// last.
func TestMessagesBeforeDisconnectArrive(t *testing.T) {
	const n = 50_000
	c := newCluster(t, "flood")
	w := c.fork(nil)
	got := inbox(w)
	sendTo(t, w, notice{Cmd: "and leave", N: n})
	for i := range n {
		if s, want := e2etest.Await(t, "the next message", got), fmt.Sprintf(`{"cmd":"notifyRequest","n":%d}`, i+1); s != want {
			t.Fatalf("%s came, want %s", s, want)
		}
	}
	gone(t, w)
	if yes, known := w.Voluntary(); !yes || !known {
		t.Errorf("Voluntary: %v, %v", yes, known)
	}
}

// Messages sent before a disconnect are delivered, also if the program handles them slowly.
func TestMessagesBeforeDisconnectArriveAtASlowMaster(t *testing.T) {
	const n = 40_000
	c := newCluster(t, "flood")
	w := c.fork(nil)
	got := make(chan int, 1)
	count := 0
	w.Subscribe(master.Events{
		Message: func(*master.Worker, ipc.Message) {
			if count++; count%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		},
		Disconnect: func(*master.Worker) { got <- count },
	})
	sendTo(t, w, notice{Cmd: "and leave", N: n})
	gone(t, w)
	if k := e2etest.Await(t, "the disconnect", got); k != n {
		t.Errorf("%d of %d messages were delivered before the disconnect", k, n)
	}
}

// Messages that a worker sends while it drains are delivered before Disconnect. A message
// sent to it right before it was told to disconnect arrives.
func TestMessagesDuringTheDrainArrive(t *testing.T) {
	c := newCluster(t, "last-words")
	var all eventLog
	w := c.fork(nil)
	w.Subscribe(master.Events{
		Online:     func(*master.Worker) { all.add("online") },
		Message:    func(_ *master.Worker, m ipc.Message) { all.add(m.String()) },
		Disconnect: func(*master.Worker) { all.add("disconnect") },
		Exit:       func(_ *master.Worker, x master.Exit) { all.add(x.String()) },
	})
	e2etest.WaitFor(t, "the worker to be ready", func() bool { return len(all.get()) == 2 })
	sendTo(t, w, "farewell")
	if err := w.Disconnect(); err != nil {
		t.Fatal(err)
	}
	gone(t, w)
	e2etest.WaitFor(t, "the exit event", func() bool { return len(all.get()) >= 1005 })
	got := all.get()
	if len(got) != 1005 || got[0] != "online" || got[1003] != "disconnect" || got[1004] != "exit status 0" {
		t.Errorf("%d events: %q … %q", len(got), got[:min(len(got), 3)], got[max(0, len(got)-3):])
	}
	if joined := strings.Join(got, " "); !strings.Contains(joined, `got \"farewell\"`) {
		t.Error("what was sent before the disconnect did not arrive")
	}
}

// Send to a worker that doesn't read fails at once with ErrQueueFull, and other workers are
// not affected.
func TestSendToAWorkerThatDoesNotReadFails(t *testing.T) {
	c := newCluster(t, "deaf")
	w := c.fork(nil)
	e2etest.WaitFor(t, "the worker to be online", func() bool { return w.State() == master.Online })
	e2etest.StandStill(t, w.Process().Pid)
	var err error
	sent := 0
	for ; err == nil && sent < 1000; sent++ {
		began := time.Now()
		err = w.Send(strings.Repeat("x", 64<<10))
		if d := time.Since(began); d > time.Second {
			t.Errorf("Send took %v", d)
		}
	}
	if !isFull(err) {
		t.Errorf("after %d sends: %v, want ErrQueueFull", sent, err)
	}
	other := c.fork(nil)
	e2etest.WaitFor(t, "another worker to be online", func() bool { return other.State() == master.Online })
	e2etest.Kill(t, w.Process().Pid)
	gone(t, w)
}
