// Requests is the program of Node's 'message' event: the master counts the requests
// that its workers serve.
//
//	go run ./examples/cluster/requests &
//	curl localhost:8000
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

var (
	addr  = flag.String("addr", "localhost:8000", "address to serve on")
	every = flag.Duration("every", time.Second, "how often the number is printed")
)

// message is what workers send.
type message struct {
	Cmd string `json:"cmd"`
}

func main() {
	flag.Parse()
	if rota.IsMaster() {
		lead()
	} else {
		serve()
	}
}

func lead() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	var numReqs atomic.Int64 // read by another goroutine
	m.Subscribe(master.Events{
		Listening: func(w *master.Worker, a master.Address) {
			fmt.Printf("A worker is now connected to %s:%d\n", a.Address, a.Port)
		},
		Message: func(_ *master.Worker, msg ipc.Message) {
			var v message
			if msg.Decode(&v) == nil && v.Cmd == "notifyRequest" {
				numReqs.Add(1)
			}
		},
	})
	for range runtime.NumCPU() {
		if _, err := m.Fork(nil); err != nil {
			log.Fatal(err)
		}
	}
	for tick := time.Tick(*every); ctx.Err() == nil; {
		select {
		case <-tick:
			fmt.Println("numReqs =", numReqs.Load())
		case <-ctx.Done():
		}
	}
	_ = m.Disconnect(context.Background())
}

func serve() {
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello world\n")
		// Tell the master. A full queue costs a count, not an answer.
		_ = worker.Self().Send(message{Cmd: "notifyRequest"})
	}))
}
