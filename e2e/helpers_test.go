//go:build linux

package e2e

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	ossignal "os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/worker"
)

func init() {
	helpers["serve"] = serve
	helpers["shutdown"] = shutdown
	helpers["version"] = version
	helpers["hang-after"] = hangAfter
	helpers["listen"] = listen
	helpers["listen-once"] = listenOnce
	helpers["two-ports"] = twoPorts
	helpers["reopen"] = reopen
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
		fmt.Fprintf(os.Stderr, "handling %s generation %d\n", r.RequestURI, worker.Self().Generation())
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
	behave()
	serve()
}

// behave is as good or broken as the release on disk.
func behave() {
	b, _ := os.ReadFile(os.Getenv(flagsEnv))
	kind := strings.TrimSpace(string(b))
	if worker.Self() == nil {
		kind, _ = strings.CutPrefix(kind, "master ") // other masters of broken releases are good
		if kind == strings.TrimSpace(string(b)) {
			kind = ""
		}
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
}

// reopen is serve, with logs that it reopens on SIGUSR1.
func reopen() {
	if rota.IsWorker() {
		signals := make(chan os.Signal, 1)
		ossignal.Notify(signals, syscall.SIGUSR1)
		go func() {
			for range signals {
				fmt.Fprintln(os.Stderr, "logs are reopened")
			}
		}()
	}
	serve()
}

// hangAfter doesn't end when its worker has left.
func hangAfter() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	_ = http.Serve(ln, http.HandlerFunc(answer))
	fmt.Fprintln(os.Stderr, "main hangs")
	select {}
}

// listen listens where its flags say.
func listen() {
	network, address, _ := strings.Cut(os.Getenv(flagsEnv), " ")
	ln, err := rota.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(answer)))
}

// listenOnce says what kind of listener it got.
func listenOnce() {
	network, address, _ := strings.Cut(os.Getenv(flagsEnv), " ")
	ln, err := rota.Listen(network, address)
	fmt.Printf("%T %v\n", ln, err)
}

// twoPorts asks for port 0 twice, and after Close of the first once more.
func twoPorts() {
	first, second := mustListen(), mustListen()
	one, two := first.Addr(), second.Addr()
	first.Close()
	again := mustListen()
	fmt.Fprintln(os.Stderr, "ports", one, two, again.Addr())
	go func() { _ = http.Serve(second, http.HandlerFunc(answer)) }()
	log.Fatal(http.Serve(again, http.HandlerFunc(answer)))
}

func mustListen() net.Listener {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return ln
}
