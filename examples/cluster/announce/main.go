// Announce sends a message to every worker. It is the example of cluster.workers in
// Node's documentation.
//
//	go run ./examples/cluster/announce
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
		fmt.Println("I am master")
		lead()
	} else {
		fmt.Printf("I am worker #%d\n", worker.Self().ID())
		listen()
	}
}

func lead() {
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	for range 4 {
		if _, err := m.Fork(nil); err != nil {
			log.Fatal(err)
		}
	}
	received := make(chan int)
	m.Subscribe(master.Events{Message: func(w *master.Worker, msg ipc.Message) { received <- w.ID() }})
	eachWorker(m, func(w *master.Worker) {
		if err := w.Send("big announcement to all workers"); err != nil {
			log.Print(err)
		}
	})
	for range 4 {
		<-received
	}
	_ = m.Disconnect(context.Background())
}

// eachWorker calls callback for every worker.
func eachWorker(m *master.Master, callback func(*master.Worker)) {
	for _, w := range m.Workers() {
		callback(w)
	}
}

func listen() {
	self := worker.Self()
	self.OnMessage(func(msg ipc.Message) {
		var text string
		if err := msg.Decode(&text); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("worker #%d receives: %s\n", self.ID(), text)
		_ = self.Send("received") // fails if the master is gone
	})
	<-self.Done()
}
