//go:build linux

package mains

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/rotahttp"
)

var handler = http.HandlerFunc(server.Answer)

// twoServers is a program with a second server in a goroutine, which may listen first.
func twoServers() {
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			ln := server.MustListen()
			fmt.Fprintf(os.Stderr, "server %d on %v\n", i, ln.Addr())
			log.Print(http.Serve(ln, handler))
		})
	}
	wg.Wait()
}

// notifyContext is the main of most Go services.
func notifyContext() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { log.Print(http.Serve(server.MustListen(), handler)) }()
	<-ctx.Done()
}

// shutdown is the graceful shutdown of gin's and echo's documentation.
func shutdown() {
	srv := &http.Server{Handler: handler}
	go func() {
		if err := srv.Serve(server.MustListen()); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Print(err)
		}
	}()
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGINT, syscall.SIGTERM)
	<-quit
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatal("shutdown: ", err)
	}
}

// group serves as programs with an errgroup do: the first that ends ends all.
func group() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	srv := &http.Server{Handler: handler}
	ln := server.MustListen()
	var wg sync.WaitGroup
	for _, f := range []func() error{
		func() error { return srv.Serve(ln) },
		func() error { <-ctx.Done(); return srv.Shutdown(context.Background()) },
	} {
		wg.Go(func() { cancel(f()) })
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
		log.Print(err)
	}
}

// subcommand is a program like those made with cobra or kong.
func subcommand() {
	if len(os.Args) != 3 || os.Args[1] != "serve" {
		log.Fatalf("no subcommand in %q", os.Args)
	}
	quiet := flag.NewFlagSet("serve", flag.ExitOnError)
	_ = quiet.Bool("quiet", false, "")
	_ = quiet.Parse(os.Args[2:])
	server.Serve()
}

// early is what the program "init Listen" serves.
var early = listenEarly()

func listenEarly() net.Listener {
	if os.Getenv(e2etest.HelperEnv) != "init Listen" {
		return nil
	}
	return server.MustListen()
}

// setup is rota.Setup, where main comes to it before Listen.
func setup(c master.Config) error {
	if early != nil {
		return nil
	}
	return rota.Setup(c)
}

func serveEarly() { log.Print(http.Serve(early, handler)) }

// umask makes a socket that everybody may use.
func umask() {
	old := syscall.Umask(0)
	ln, err := rota.Listen("unix", os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	ln.Close()
	syscall.Umask(old)
	if syscall.Umask(old) != old {
		log.Fatal("the umask is not that of the start")
	}
	server.Serve()
}

// rotahttpInGoroutine serves in a goroutine and waits for a signal.
func rotahttpInGoroutine() {
	go func() { log.Print(rotahttp.ListenAndServe("127.0.0.1:0", handler)) }()
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGTERM)
	<-quit
}

// lock holds a lock that no other process may have, from before Listen on.
func lock() {
	f, err := os.OpenFile(os.Getenv(e2etest.FlagsEnv), os.O_CREATE|os.O_RDWR, 0o644)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		log.Fatal("lock: ", err)
	}
	server.Serve()
}

// cacheMB is the size of a cache that is loaded before Listen.
const cacheMB = 200

// cache loads it: every page is touched.
func cache() {
	loaded := make([]byte, cacheMB<<20)
	for i := 0; i < len(loaded); i += 1 << 10 {
		loaded[i] = byte(i >> 10)
	}
	server.Serve()
	runtime.KeepAlive(loaded)
}

// metrics has a port of the usual kind, opened before Listen. It answers with the pid.
func metrics() {
	ln, err := net.Listen("tcp", os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		_ = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) }))
	}()
	server.Serve()
}

// cron begins work before Listen. Each of its lines names the process.
func cron() {
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			fmt.Fprintf(os.Stderr, "job in %d\n", os.Getpid())
		}
	}()
	time.Sleep(50 * time.Millisecond)
	server.Serve()
}

// changeEverything changes what a process can change of itself, before Listen.
func changeEverything() {
	dir, _ := os.Getwd()
	b, _ := os.ReadFile("/proc/self/status")
	_, umask, _ := strings.Cut(string(b), "Umask:\t")
	fmt.Fprintf(os.Stderr, "start of %d: dir=%s args=%d umask=%.4s changed=%q\n", os.Getpid(), dir, len(os.Args), umask, os.Getenv("CHANGED"))
	_ = os.Chdir("/")
	syscall.Umask(0o077)
	_ = os.Setenv("CHANGED", "yes")
	os.Args = append(os.Args, "more")
	server.Serve()
}

// ignoreSignals ignores signals that the master handles.
func ignoreSignals() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
	if rota.IsWorker() {
		signal.Reset(syscall.SIGTERM)
	}
	server.Serve()
}

// cleanUp takes a while after Accept has failed.
func cleanUp() {
	log.Print(http.Serve(server.MustListen(), handler))
	time.Sleep(200 * time.Millisecond)
	fmt.Fprintln(os.Stderr, "cleaned up")
}
