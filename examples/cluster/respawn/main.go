// Respawn is the program of Node's 'exit' event: a worker that dies is replaced. It is
// the program that replaces it; master.Run does it with more care (a back-off, the
// executable that the others run).
//
//	go run ./examples/cluster/respawn &
//	kill -KILL <the pid that curl localhost:8000 shows>
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
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
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	m, err := master.New(master.Config{})
	if err != nil {
		log.Fatal(err)
	}
	m.Subscribe(master.Events{
		Listening: func(w *master.Worker, a master.Address) {
			fmt.Printf("A worker is now connected to %s:%d\n", a.Address, a.Port)
		},
		Exit: func(w *master.Worker, x master.Exit) {
			if x.Err != nil { // it could not be started, and another is no better off
				log.Print(x.Err)
				return
			}
			if yes, _ := w.Voluntary(); yes {
				fmt.Println("Oh, it was just voluntary – no need to worry")
				return
			}
			fmt.Printf("worker %d died (%v). restarting...\n", w.Process().Pid, x)
			if _, err := m.Fork(nil); err != nil {
				log.Print(err)
			}
		},
	})
	if _, err := m.Fork(nil); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done()
	_ = m.Disconnect(context.Background())
}

func serve() {
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, os.Getpid())
	}))
}
