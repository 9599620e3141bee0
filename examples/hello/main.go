// Hello is the smallest server that reloads: one line differs from a server without rota.
// It answers with its pid, which a reload changes:
//
//	go run ./examples/hello &
//	curl localhost:8080
//	kill -HUP <the master's pid, from its first log line>
//	curl localhost:8080
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/rota-go/rota"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	ln, err := rota.Listen("tcp", *addr) // was: net.Listen
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	})))
}
