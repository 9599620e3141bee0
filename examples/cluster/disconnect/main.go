// Disconnect is the program of Node's worker.disconnect: a worker whose connections
// never end is given two seconds to leave. (Node's original disconnects the worker as
// soon as it listens, when nobody can be connected yet; this one waits for a client.)
// The limit of the library itself is master.Config.Grace.
//
//	go run ./examples/cluster/disconnect &
//	nc localhost 8000
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"sync"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

var addr = flag.String("addr", "localhost:8000", "address to serve on")

func main() {
	flag.Parse()
	if rota.IsMaster() {
		lead()
	} else {
		serve()
	}
}

func lead() {
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	over := make(chan struct{})
	var timeout *time.Timer
	var began time.Time
	m.Subscribe(master.Events{
		Listening: func(w *master.Worker, a master.Address) {
			fmt.Printf("A worker is now connected to %s:%d\n", a.Address, a.Port)
		},
		Message: func(w *master.Worker, _ ipc.Message) { // somebody is connected
			began = time.Now()
			_ = w.Disconnect()
			timeout = time.AfterFunc(2*time.Second, func() { _ = w.Send("force kill") })
		},
		Disconnect: func(w *master.Worker) {
			timeout.Stop()
			fmt.Printf("The worker #%d has disconnected after %.0f s\n", w.ID(), time.Since(began).Seconds())
		},
		Exit: func(*master.Worker, master.Exit) { close(over) },
	})
	if _, err := m.Fork(nil); err != nil {
		log.Fatal(err)
	}
	<-over
	_ = m.Close()
}

func serve() {
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{}
	worker.Self().OnMessage(func(msg ipc.Message) {
		var text string
		if msg.Decode(&text) == nil && text == "force kill" {
			s.destroy()
		}
	})
	for {
		c, err := ln.Accept()
		if err != nil {
			return // the worker has left: clean up here
		}
		s.add(c)
		_ = worker.Self().Send("connected")
	}
}

// server has connections that never end.
type server struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (s *server) add(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
}

func (s *server) destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}
