// Prefork is the server of docs/migrate/prefork.md after the change: one worker for
// each CPU.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	n := runtime.NumCPU()
	if rota.IsWorker() {
		runtime.GOMAXPROCS(1) // as the preforking frameworks do
	}
	if err := rota.Setup(master.Config{Workers: n, Surge: n}); err != nil {
		log.Fatal(err)
	}
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	})))
}
