//go:build linux

package service

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	_ "net/http/pprof" // for the debug port
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// The bodies of these functions are in docs/service.md as bodies of main.

func logs() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("worker", worker.Self().ID())
	slog.SetDefault(logger)
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		slog.Error("listen", "err", err)
		os.Exit(1)
	}
	slog.Info("serving", "on", ln.Addr().String())
	slog.Info("end", "reason", http.Serve(ln, handler))
}

func shutdown() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := rota.Listen("tcp", *addr) // was: net.Listen
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: handler}
	go func() { log.Print(srv.Serve(ln)) }()
	<-ctx.Done()
	if err := srv.Shutdown(context.Background()); err != nil {
		log.Print(err)
	}
	log.Print("database closed")
}

func debugPort() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	debug := flag.Int("debug", 6060, "port for profiles of the first worker; the next has the next one")
	flag.Parse()
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	own, err := rota.Listen("tcp", fmt.Sprintf("localhost:%d", *debug+worker.Self().Slot()))
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Print(http.Serve(own, nil)) }() // with import _ "net/http/pprof"
	log.Fatal(http.Serve(ln, handler))
}

func database() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	const workers, surge, draining = 2, 1, 2
	err := rota.Setup(master.Config{Workers: workers, Surge: surge, MaxDraining: draining})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(20 / (workers + surge + draining)) // the database allows 20
	defer db.Close()
	log.Print(http.Serve(ln, query(db)))
}

func jobs() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	every := flag.Duration("every", time.Hour, "between two reports")
	flag.Parse()
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	go worker.Self().Lead(context.Background(), "reports", func(ctx context.Context) error {
		tick := time.NewTicker(*every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				log.Print("report by worker ", worker.Self().ID())
			case <-ctx.Done(): // this worker is asked to leave
				return nil
			}
		}
	})
	log.Fatal(http.Serve(ln, handler))
}

func shared() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	self := worker.Self()
	var cache sync.Map // of what the database has
	type change struct{ Key, Value string }
	self.OnMessage(func(m ipc.Message) {
		var c change
		if m.Decode(&c) == nil {
			cache.Store(c.Key, c.Value)
		}
	})
	http.HandleFunc("GET /{key}", func(w http.ResponseWriter, r *http.Request) {
		key := r.PathValue("key")
		v, ok := cache.Load(key)
		if !ok {
			v, _ = cache.LoadOrStore(key, load(key))
		}
		fmt.Fprintf(w, "%v from process %d", v, os.Getpid())
	})
	http.HandleFunc("PUT /{key}", func(w http.ResponseWriter, r *http.Request) {
		c := change{r.PathValue("key"), r.FormValue("value")}
		store(c.Key, c.Value)
		cache.Store(c.Key, c.Value)
		if err := self.Broadcast(c); err != nil {
			log.Print(err)
		}
	})
	ln, err := rota.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, nil))
}
