package e2e

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/worker"
)

func init() {
	helpers["serve"] = serve
	helpers["shutdown"] = shutdown
	helpers["version"] = version
}

// serve is the whole main of the README: one line changed.
func serve() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(answer)))
}

// answer says who answers, after ?sleep.
func answer(w http.ResponseWriter, r *http.Request) {
	if d, err := time.ParseDuration(r.FormValue("sleep")); err == nil {
		time.Sleep(d)
	}
	if cmd := r.FormValue("spawn"); cmd != "" {
		spawnChild(w, cmd)
		return
	}
	fmt.Fprintf(w, "generation %d worker %d pid %d\n", worker.Self().Generation(), worker.Self().ID(), os.Getpid())
}

// spawnChild starts a child of a worker and answers with what it prints.
func spawnChild(w http.ResponseWriter, command string) {
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	fmt.Fprintf(w, "%s", out)
	if err != nil {
		fmt.Fprintln(w, err)
	}
}

// shutdown is a main of the careful kind: srv.Shutdown in the hook.
func shutdown() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(answer)}
	self := worker.Self()
	self.OnDisconnect(func(ctx context.Context) error { return srv.Shutdown(ctx) })
	if err := srv.Serve(ln); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-self.Done()
}

// version is serve, or one of the ways a release can be broken: what it does is in
// a file, which stands for the release on disk.
func version() {
	b, _ := os.ReadFile(os.Getenv(flagsEnv))
	kind := strings.TrimSpace(string(b))
	if worker.Self() == nil {
		kind = "" // the master of every release is the first one's
	}
	switch kind {
	case "exits":
		fmt.Fprintln(os.Stderr, "this release exits at once")
		os.Exit(3)
	case "hangs":
		select {}
	case "dies":
		time.AfterFunc(200*time.Millisecond, func() { os.Exit(4) })
	}
	serve()
}
