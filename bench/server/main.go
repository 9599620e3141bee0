// Server is the measured program, written as a user of rota, of tableflip or of package
// net alone would write it. It is a program of its own so that a new process starts as
// fast as a user's.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/rotahttp"
)

var (
	as      = flag.String("as", "plain", "the row of the table: rota, rotahttp, tableflip or plain")
	addr    = flag.String("addr", "", "where to listen")
	cert    = flag.String("cert", "", "file with certificate and key; without one, no TLS")
	big     = flag.String("big", "", "the file of GET /big")
	pidFile = flag.String("pidfile", "", "the pid file, for tableflip")
	trial   = flag.Duration("trial", 0, "MinUptime, for rota")
)

func main() {
	flag.Parse()
	if err := rota.Setup(master.Config{MinUptime: *trial}); err != nil {
		log.Fatal(err)
	}
	switch *as {
	case "rota":
		log.Print(serveOn(must(rota.Listen("tcp", *addr)), &http.Server{Handler: handler()}))
	case "rotahttp":
		if *cert != "" {
			log.Print(rotahttp.ListenAndServeTLS(*addr, *cert, *cert, handler()))
			return
		}
		log.Print(rotahttp.ListenAndServe(*addr, handler()))
	case "plain":
		log.Print(serveOn(must(net.Listen("tcp", *addr)), &http.Server{Handler: handler()}))
	case "tableflip":
		serveTableflip()
	}
}

func serveOn(ln net.Listener, srv *http.Server) error {
	if *cert != "" {
		return srv.ServeTLS(ln, *cert, *cert)
	}
	return srv.Serve(ln)
}

// serveTableflip is the program of tableflip's README.
func serveTableflip() {
	upg := must(tableflip.New(tableflip.Options{PIDFile: *pidFile}))
	defer upg.Stop()
	go func() {
		sig := make(chan os.Signal, 1)
		signal.Notify(sig, syscall.SIGHUP)
		for range sig {
			if err := upg.Upgrade(); err != nil {
				log.Println("upgrade failed:", err)
			}
		}
	}()
	srv := &http.Server{Handler: handler()}
	ln := must(upg.Listen("tcp", *addr))
	go func() { _ = serveOn(ln, srv) }()
	if err := upg.Ready(); err != nil {
		panic(err)
	}
	<-upg.Exit()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = srv.Shutdown(ctx)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// handler answers the requests of every shape.
func handler() http.Handler {
	pid := strconv.Itoa(os.Getpid())
	mux := http.NewServeMux()
	hello := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Pid"] = []string{pid}
		_, _ = io.WriteString(w, "hello\n")
	}
	mux.HandleFunc("GET /", hello)
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		hello(w, r)
	})
	mux.HandleFunc("PUT /", func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n != r.ContentLength {
			http.Error(w, fmt.Sprint(n, err), http.StatusBadRequest)
			return
		}
		hello(w, r)
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(200 * time.Millisecond)
		hello(w, r)
	})
	mux.HandleFunc("GET /big", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Pid"] = []string{pid}
		http.ServeFile(w, r, *big)
	})
	return mux
}
