//go:build linux

package cluster

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// announcer broadcasts what its master sends it, and sends the master what is broadcast.
func announcer() {
	self := worker.Self()
	self.OnMessage(func(msg ipc.Message) {
		if msg.From == 0 {
			must(self.Broadcast(msg.Data))
			return
		}
		send(fmt.Sprintf("%d: %v", msg.From, msg))
	})
	<-self.Done()
}

// A broadcast reaches all other workers, in order, also one that has just been started, and
// not its sender (docs/contract.md#messages-broadcast).
func TestBroadcast(t *testing.T) {
	c := newCluster(t, "announcer")
	workers := []*master.Worker{c.fork(nil), c.fork(nil), c.fork(nil)}
	var inboxes []<-chan string
	for _, w := range workers {
		inboxes = append(inboxes, inbox(w))
	}
	const n = 100
	for i := range n {
		sendTo(t, workers[0], i)
	}
	for _, in := range inboxes[1:] {
		for i := range n {
			if got, want := e2etest.Await(t, "a broadcast", in), fmt.Sprintf("%q", fmt.Sprintf("1: %d", i)); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
	sendTo(t, workers[1], "back")
	for _, i := range []int{0, 2} {
		if got := e2etest.Await(t, "the answer", inboxes[i]); got != `"2: \"back\""` {
			t.Errorf("worker %d got %s", i+1, got)
		}
	}
}

// silent never calls OnMessage, and leaves or crashes.
func silent() {
	time.Sleep(10 * time.Millisecond)
	if os.Getenv(e2etest.FlagsEnv) == "crash" {
		os.Exit(3)
	}
	must(worker.Self().Ready())
	<-worker.Self().Done()
}

// The Exit event has the number of messages that a worker has not taken
// (docs/contract.md#messages-undelivered).
func TestUndelivered(t *testing.T) {
	for helper, want := range map[string]int{"silent": 10, "echo": 0} {
		for _, end := range []string{"leave", "crash"} {
			if helper == "echo" && end == "crash" {
				continue
			}
			t.Run(helper+" "+end, func(t *testing.T) {
				c := newCluster(t, helper)
				w := c.fork(map[string]string{e2etest.FlagsEnv: end})
				exits := make(chan master.Exit, 1)
				w.Subscribe(master.Events{Exit: func(_ *master.Worker, x master.Exit) { exits <- x }})
				for i := range 10 {
					sendTo(t, w, i)
				}
				if end == "leave" {
					e2etest.NoError(t, w.Disconnect())
				}
				if x := e2etest.Await(t, "the end", exits); x.Undelivered != want {
					t.Errorf("%+v, want %d undelivered", x, want)
				}
			})
		}
	}
}
