// Overseer is the server of docs/migrate/overseer.md after the change.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	if err := rota.Setup(master.Config{Grace: time.Minute}); err != nil {
		log.Fatal(err)
	}
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(program(ln))
}

// program is what overseer.Config.Program was.
func program(ln net.Listener) error {
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	}))
}
