//go:build linux

package http

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/rotahttp"
	"github.com/rota-go/rota/worker"
)

// httpLine is net/http with one line changed.
func httpLine() { log.Fatal(http.Serve(listenStay(), httpHandler())) }

// listenStay listens with connections that stay in their worker: the tests of this package
// are about what a worker does for the clients that it can't give away.
func listenStay() net.Listener {
	lc := rota.ListenConfig{Stay: true}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return ln
}

// httpProxy is a reverse proxy to the upstream of its flags.
func httpProxy() { log.Fatal(http.Serve(listenStay(), proxyHandler())) }

func rotaHTTP() { mustLeave(rotahttp.Serve(listenStay(), &http.Server{Handler: httpHandler()})) }
func rotaHTTPProxy() {
	mustLeave(rotahttp.Serve(listenStay(), &http.Server{Handler: proxyHandler()}))
}

// rotaHTTPTLS has certificate and key in the file of its flags.
func rotaHTTPTLS() {
	file := os.Getenv(e2etest.FlagsEnv)
	mustLeave(rotahttp.ListenAndServeTLS("127.0.0.1:0", file, file, httpHandler()))
}

func rotaHTTPh2c() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: httpHandler(), Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	srv.Protocols.SetHTTP1(true)
	mustLeave(rotahttp.Serve(ln, srv))
}

// mustLeave checks what Serve returns: nil when the worker has left.
func mustLeave(err error) {
	if err != nil {
		log.Fatal("not a clean end: ", err)
	}
	fmt.Fprintln(os.Stderr, "clean end")
}

func proxyHandler() http.Handler {
	upstream, err := url.Parse(os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(upstream)
}

// httpHandler prints when the worker begins to drain, and has a path for each kind of
// answer.
func httpHandler() http.Handler {
	if w := worker.Self(); w != nil { // the master makes this argument of ListenAndServe too
		go func() {
			<-w.Disconnecting()
			fmt.Fprintln(os.Stderr, "drain begins")
		}()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", server.Answer)
	mux.HandleFunc("/echo", httpEcho)
	mux.HandleFunc("/lines", httpLines)
	mux.HandleFunc("/events", httpEvents)
	mux.HandleFunc("/socket", httpSocket)
	return mux
}

func httpEcho(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = w.Write(b)
}

// httpLines sends back each line at once.
func httpLines(w http.ResponseWriter, r *http.Request) {
	for in := bufio.NewScanner(r.Body); in.Scan(); {
		fmt.Fprintln(w, in.Text())
		w.(http.Flusher).Flush()
	}
}

// httpEvents sends an event at once, one each 100 ms until the worker drains, and a last
// one.
func httpEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		fmt.Fprint(w, "data: tick\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-worker.Self().Disconnecting():
			fmt.Fprint(w, "data: bye\n\n")
			return
		}
	}
}

// httpSocket hijacks the connection and echoes lines until the client closes it. When the
// worker drains it sends "leaving".
func httpSocket(w http.ResponseWriter, r *http.Request) {
	c, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		log.Print(err)
		return
	}
	defer c.Close()
	fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	go func() {
		<-worker.Self().Disconnecting()
		fmt.Fprintln(c, "leaving")
	}()
	for {
		line, err := buf.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprint(c, line)
	}
}
