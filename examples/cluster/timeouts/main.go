// Timeouts is the program of Node's 'fork' event: a worker that doesn't listen in time
// is complained about, and so is one that ends. The second of the two workers here is
// such a one.
//
//	go run ./examples/cluster/timeouts
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

var (
	addr  = flag.String("addr", "localhost:8000", "address to listen on")
	after = flag.Duration("after", 2*time.Second, "how long a worker may take to listen")
)

func main() {
	flag.Parse()
	if rota.IsMaster() {
		lead()
	} else {
		listen()
	}
}

func errorMsg() { fmt.Fprintln(os.Stderr, "Something must be wrong with the connection ...") }

func lead() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	timeouts := map[int]*time.Timer{} // needs no lock: events come one at a time
	m.Subscribe(master.Events{
		Fork:      func(w *master.Worker) { timeouts[w.ID()] = time.AfterFunc(*after, errorMsg) },
		Listening: func(w *master.Worker, _ master.Address) { timeouts[w.ID()].Stop() },
		Exit: func(w *master.Worker, _ master.Exit) {
			timeouts[w.ID()].Stop()
			errorMsg()
		},
	})
	for _, kind := range []string{"quick", "slow"} {
		if _, err := m.Fork(map[string]string{"KIND": kind}); err != nil {
			log.Fatal(err)
		}
	}
	<-ctx.Done()
	_ = m.Disconnect(context.Background())
}

func listen() {
	if os.Getenv("KIND") == "quick" {
		ln, err := rota.Listen("tcp", *addr)
		if err != nil {
			log.Fatal(err)
		}
		defer ln.Close()
		fmt.Println("worker", worker.Self().ID(), "listens")
	}
	<-worker.Self().Done()
}
