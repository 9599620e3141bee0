// Http is the first program of Node's cluster documentation: as many workers as there
// are CPUs share a port.
//
//	go run ./examples/cluster/http &
//	curl localhost:8000
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
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
		Online: func(w *master.Worker) { // what NODE_DEBUG=cluster shows
			fmt.Printf("%d,Master Worker %d online\n", os.Getpid(), w.Process().Pid)
		},
		Listening: func(w *master.Worker, a master.Address) {
			fmt.Printf("A worker is now connected to %s:%d\n", a.Address, a.Port)
		},
		Exit: func(w *master.Worker, x master.Exit) {
			if x.Err != nil { // there was no process
				log.Print(x.Err)
				return
			}
			fmt.Printf("worker %d died\n", w.Process().Pid)
		},
	})
	for range runtime.NumCPU() {
		if _, err := m.Fork(nil); err != nil {
			log.Fatal(err)
		}
	}
	<-ctx.Done()
	_ = m.Disconnect(context.Background())
}

// serve is a worker: all of them share the port.
func serve() {
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello world\n")
	})) // returns when this worker has left
}
