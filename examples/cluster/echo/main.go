// Echo is the program of Node's worker.send: the worker sends back what it is sent.
//
//	go run ./examples/cluster/echo
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

func main() {
	if rota.IsMaster() {
		lead()
	} else {
		echo()
	}
}

func lead() {
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	answer := make(chan string)
	m.Subscribe(master.Events{Message: func(_ *master.Worker, msg ipc.Message) { answer <- msg.String() }})
	w, err := m.Fork(nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Send("hi there"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the worker says", <-answer)
	_ = m.Disconnect(context.Background())
}

func echo() {
	self := worker.Self()
	self.OnMessage(func(msg ipc.Message) {
		var v any
		if err := msg.Decode(&v); err != nil {
			log.Fatal(err)
		}
		_ = self.Send(v) // fails where the master is gone
	})
	<-self.Done()
}
