// Endless is the server of docs/migrate/endless.md after the change.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/rota-go/rota/rotahttp"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from process %d\n", os.Getpid())
	})
	if err := rotahttp.ListenAndServe(*addr, mux); err != nil {
		log.Fatal(err)
	}
}
