package ipc_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// A worker accepts connections and moves each to its master, which serves it.
func Example() {
	// In the worker:
	accept := func(ln net.Listener) error {
		for {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			text := map[string]string{"from": c.RemoteAddr().String()}
			if err := worker.Self().Send(text, ipc.FromConn(c)); err != nil {
				log.Print(err)
				c.Close() // Send closes c only if it succeeds
			}
		}
	}

	// In the master:
	receive := func(m *master.Master) {
		m.Subscribe(master.Events{Message: func(w *master.Worker, msg ipc.Message) {
			if len(msg.Handles) == 0 {
				return
			}
			c, err := msg.Handles[0].Conn()
			if err != nil {
				log.Print(err) // the handle is closed when this function returns
				return
			}
			go func() {
				defer c.Close()
				_, _ = fmt.Fprintln(c, "the master has the connection of worker", w.ID())
			}()
		}})
	}

	_, _ = accept, receive
}

func ExampleMessage_Decode() {
	msg := ipc.Message{Data: json.RawMessage(`{"command":"rotate","files":2}`)}
	var order struct {
		Command string
		Files   int
	}
	if err := msg.Decode(&order); err != nil {
		log.Fatal(err)
	}
	fmt.Println(order.Command, order.Files)
	// Output: rotate 2
}
