package e2e

import (
	"errors"
	"log"
	"os"
	"time"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/worker"
)

func init() {
	helpers["echo"] = echo
	helpers["flood"] = flood
}

// notice is the message of the seed's request counter.
type notice struct {
	Cmd string `json:"cmd"`
	N   int    `json:"n,omitempty"`
}

// must ends a worker whose call failed.
func must(err error) {
	if err != nil {
		log.Fatalf("worker %d: %v", worker.Self().ID(), err)
	}
}

// send sends as a patient program does: where the master doesn't keep up it waits.
func send(v any, handles ...ipc.Handle) {
	err := worker.Self().Send(v, handles...)
	for ; errors.Is(err, worker.ErrQueueFull); err = worker.Self().Send(v, handles...) {
		time.Sleep(100 * time.Microsecond)
	}
	must(err)
}

// untilDone is the main of a worker that only talks.
func untilDone() { <-worker.Self().Done() }

// echo sends everything back, handles too.
func echo() {
	worker.Self().OnMessage(func(m ipc.Message) {
		var v any
		must(m.Decode(&v))
		send(v, m.Handles...)
	})
	untilDone()
}

// flood sends as many messages as it is told, as fast as it can.
func flood() {
	worker.Self().OnMessage(func(m ipc.Message) {
		var order notice
		must(m.Decode(&order))
		for range order.N {
			send(notice{Cmd: "notifyRequest"})
		}
		if order.Cmd == "and leave" {
			must(worker.Self().Disconnect())
		}
	})
	untilDone()
	os.Exit(0)
}
