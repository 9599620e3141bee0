// Systemd is the server of docs/migrate/systemd.md after the change. With socket
// activation the master takes the socket from systemd, otherwise it opens it.
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
	addr := flag.String("addr", "localhost:8080", "the address of ListenStream= in the socket unit")
	flag.Parse()
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	})))
}
