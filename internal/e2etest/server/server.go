//go:build linux

package server

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// Quick returns a configuration with which reloads don't wait for a trial.
func Quick(workers int) master.Config { return master.Config{Workers: workers, MinUptime: -1} }

// Serve is the whole main of the README: net/http with one line changed.
func Serve() { log.Fatal(http.Serve(MustListen(), http.HandlerFunc(Answer))) }

// MustListen listens on a port of 127.0.0.1 that the kernel chooses.
func MustListen() net.Listener {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return ln
}

// Listen is Serve on "network address" of the flags.
func Listen() {
	network, address, _ := strings.Cut(os.Getenv(e2etest.FlagsEnv), " ")
	ln, err := rota.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(Answer)))
}

// TwoPorts asks for port 0 twice, and after Close of the first once more. It prints the
// three addresses in a line that starts with "ports".
func TwoPorts() {
	first, second := MustListen(), MustListen()
	one, two := first.Addr(), second.Addr()
	first.Close()
	again := MustListen()
	fmt.Fprintln(os.Stderr, "ports", one, two, again.Addr())
	go func() { _ = http.Serve(second, http.HandlerFunc(Answer)) }()
	log.Fatal(http.Serve(again, http.HandlerFunc(Answer)))
}

// PortLines returns the different lines that workers of TwoPorts have printed: one, if all
// have the same ports.
func PortLines(p *e2etest.Process) map[string]bool {
	lines := map[string]bool{}
	for line := range strings.Lines(p.Log.String()) {
		if strings.HasPrefix(line, "ports") {
			lines[line] = true
		}
	}
	return lines
}

// Answer answers with the generation, id and pid of the worker, after ?sleep, or when the file
// ?until is there. With ?spawn it runs that command and answers with its output.
func Answer(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("sleep"))
	gate := r.FormValue("until")
	if err == nil || gate != "" {
		fmt.Fprintf(os.Stderr, "%s%d\n", e2etest.Handling(r.RequestURI), worker.Self().Generation())
		time.Sleep(d)
	}
	for gate != "" && !e2etest.Exists(gate) {
		time.Sleep(time.Millisecond)
	}
	if cmd := r.FormValue("spawn"); cmd != "" {
		out, err := exec.Command("sh", "-c", cmd).CombinedOutput()
		fmt.Fprintf(w, "%s", out)
		if err != nil {
			fmt.Fprintln(w, err)
		}
		return
	}
	fmt.Fprintf(w, "generation %d worker %d pid %d\n", worker.Self().Generation(), worker.Self().ID(), os.Getpid())
}
