// Chi is a router of github.com/go-chi/chi behind rotahttp, as gin's and echo's engines
// and httputil.ReverseProxy are: all of them are http.Handlers.
//
//	go run . &
//	curl localhost:8080/hello/you
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/rota-go/rota/rotahttp"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Get("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s from process %d\n", chi.URLParam(r, "name"), os.Getpid())
	})
	if err := rotahttp.ListenAndServe(*addr, r); err != nil { // was: http.ListenAndServe
		log.Fatal(err)
	}
}
