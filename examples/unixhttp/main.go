// Unixhttp is an HTTP server on a unix socket, as one stands behind a proxy. The
// master makes the socket's file, with the mode that is right from its first moment,
// and removes it at the end; reloads leave it alone:
//
//	go run ./examples/unixhttp &
//	curl --unix-socket /tmp/unixhttp.sock http://localhost/
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/rota-go/rota"
)

func main() {
	path := flag.String("socket", "/tmp/unixhttp.sock", "path of the socket")
	flag.Parse()
	lc := rota.ListenConfig{Mode: 0o660, Backlog: 1024}
	ln, err := lc.Listen(context.Background(), "unix", *path)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	})))
}
