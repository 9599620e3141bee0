// Fleet is a server for one of several hosts behind a load balancer: a web server with one line
// changed, and its health for the balancer. The files under deploy run it.
//
// ADDR is where it serves, HEALTH where /livez, /readyz and /drain are, AGENT where HAProxy's
// agent-check asks. CONFIG is a file that each worker reads at its start: a reload is all that a
// change of it needs.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/health"
	"github.com/rota-go/rota/worker"
)

func main() {
	rota.OnMaster(health.Serve(health.Config{
		HTTP: os.Getenv("HEALTH"), Agent: os.Getenv("AGENT"), ReadyInDelay: os.Getenv("KUBERNETES_SERVICE_HOST") != "",
	}))
	ln, err := rota.Listen("tcp", cmp.Or(os.Getenv("ADDR"), ":8080"))
	if err != nil {
		log.Fatal(err)
	}
	greeting := "hello"
	if path := os.Getenv("CONFIG"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err) // the reload fails, and the old workers serve on
		}
		greeting = string(text)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s from worker %d, generation %d\n", greeting, worker.Self().ID(), worker.Self().Generation())
	})))
}
