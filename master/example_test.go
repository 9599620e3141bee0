package master_test

import (
	"fmt"
	"log"
	"net"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
)

// The classic: a worker that dies is replaced by the program itself.
func ExampleMaster_Subscribe() {
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	m.Subscribe(master.Events{
		Online: func(w *master.Worker) { fmt.Println("worker", w.ID(), "is online") },
		Exit: func(w *master.Worker, x master.Exit) {
			if asked, _ := w.Voluntary(); !asked {
				fmt.Println("worker", w.ID(), "died:", x)
				_, _ = m.Fork(nil) // fails when the master is closed
			}
		},
	})
	if _, err := m.Fork(nil); err != nil {
		log.Fatal(err)
	}
}

// A master that accepts connections, and gives each to the worker whose turn it is.
func ExampleWorker_Send() {
	spread := func(m *master.Master, ln net.Listener) error {
		for turn := 0; ; turn++ {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			workers := m.Workers()
			if len(workers) == 0 {
				c.Close()
				continue
			}
			w := workers[turn%len(workers)]
			if err := w.Send(map[string]int{"turn": turn}, ipc.FromConn(c)); err != nil {
				log.Print(err)
				c.Close() // it is still ours
			}
		}
	}
	_ = spread
}
