//go:build linux

package e2e

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// shutdown calls srv.Shutdown in the hook.
func shutdown() {
	ln := server.MustListen()
	srv := &http.Server{Handler: http.HandlerFunc(server.Answer)}
	self := worker.Self()
	self.OnDisconnect(func(ctx context.Context) error { return srv.Shutdown(ctx) })
	if err := srv.Serve(ln); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-self.Done()
}

// reopen reopens its logs on SIGUSR1.
func reopen() {
	if rota.IsWorker() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGUSR1)
		go func() {
			for range signals {
				fmt.Fprintln(os.Stderr, "logs are reopened")
			}
		}()
	}
	server.Serve()
}

// hangAfter doesn't return when its worker has left.
func hangAfter() {
	_ = http.Serve(server.MustListen(), http.HandlerFunc(server.Answer))
	fmt.Fprintln(os.Stderr, "main hangs")
	select {}
}

// listenOnce prints the type of the listener that it gets.
func listenOnce() {
	network, address, _ := strings.Cut(os.Getenv(e2etest.FlagsEnv), " ")
	ln, err := rota.Listen(network, address)
	fmt.Printf("%T %v\n", ln, err)
}

// setupLate calls Setup after Listen.
func setupLate() {
	ln := server.MustListen()
	fmt.Fprintln(os.Stderr, "Setup returns:", rota.Setup(master.Config{}))
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}
