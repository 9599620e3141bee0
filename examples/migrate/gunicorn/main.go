// Gunicorn is the server of docs/migrate/gunicorn.md: the settings of a gunicorn or
// puma configuration, and what they are here.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/rotahttp"
	"github.com/rota-go/rota/worker"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	err := rota.Setup(master.Config{
		Workers:        2,                // workers = 2
		Grace:          30 * time.Second, // graceful_timeout = 30
		HealthInterval: 10 * time.Second, // timeout = 30: three answers missing
		MaxRequests:    10000,            // max_requests = 10000
		MaxMemory:      1 << 30,          // puma_worker_killer
		WaitReady:      true,             // Ready below
	})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	if w := worker.Self(); w != nil { // post_fork, on_worker_boot
		w.OnHealth(func(context.Context) error { return nil })
		if err := w.Ready(); err != nil {
			log.Fatal(err)
		}
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	})
	err = rotahttp.Serve(ln, &http.Server{Handler: handler}) // counts requests
	if err != nil {
		log.Fatal(err)
	}
}
