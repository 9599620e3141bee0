// Package rotahttp serves HTTP without losing a request when the worker leaves.
// Write rotahttp.ListenAndServe where you wrote http.ListenAndServe:
//
//	log.Fatal(rotahttp.ListenAndServe(":8080", handler))
//
// or, with an http.Server of your own, rotahttp.Serve(ln, srv) for srv.Serve(ln).
//
// A plain http.Serve on a listener of rota.Listen is helped already, by what can be
// seen of HTTP/1 from outside. This package does what cannot: TLS, HTTP/2 and h2c.
// When the worker leaves:
//
//   - Answers of HTTP/1 carry "Connection: close". A connection that is idle stays
//     open for its next request, which gets that answer, and ends when it has been
//     idle for master.Config.IdleGrace.
//   - Clients of HTTP/2 get a GOAWAY that still lets in every request under way, and
//     a second later the one that ends. Streams in flight finish.
//   - Hijacked connections are waited for; their handlers learn of it from
//     workerproc.Self().Disconnecting().
//   - Functions of RegisterOnShutdown run once, when the last connection of HTTP/1
//     has ended: net/http drops requests that it reads after Shutdown. They run a
//     second before the grace ends at the latest.
//   - Serve returns nil when the worker has left.
//
// In a process that is no worker, Serve is srv.Serve.
package rotahttp

import (
	"net"
	"net/http"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/workerproc"
)

// ListenAndServe is http.ListenAndServe on a listener of rota.Listen: the process that
// a person starts becomes the master and does not come back from it. A nil handler
// is http.DefaultServeMux. It returns nil when the worker has left.
func ListenAndServe(addr string, handler http.Handler) error {
	ln, err := listen(addr, ":http")
	if err != nil {
		return err
	}
	return Serve(ln, &http.Server{Addr: addr, Handler: handler})
}

// ListenAndServeTLS is ListenAndServe with TLS, as http.ListenAndServeTLS. It speaks
// HTTP/2 too. The files are read by each worker: a reload takes up new ones.
func ListenAndServeTLS(addr, certFile, keyFile string, handler http.Handler) error {
	ln, err := listen(addr, ":https")
	if err != nil {
		return err
	}
	defer ln.Close()
	return ServeTLS(ln, &http.Server{Addr: addr, Handler: handler}, certFile, keyFile)
}

func listen(addr, byDefault string) (net.Listener, error) {
	if addr == "" {
		addr = byDefault
	}
	return rota.Listen("tcp", addr)
}

// Serve is srv.Serve(ln), and sees every request off when the worker leaves. It
// closes ln. After that it returns nil; the error of srv.Shutdown and srv.Close, which
// work as ever, is http.ErrServerClosed.
//
// The fields of srv keep their meaning. Set them before: Serve wraps Handler,
// ConnState, ConnContext and BaseContext of a worker's srv, and serves it for good.
// ln need not be a rota listener.
func Serve(ln net.Listener, srv *http.Server) error {
	w := workerproc.Self()
	if w == nil {
		return srv.Serve(ln)
	}
	return serve(ln, srv, w, srv.Serve)
}

// ServeTLS is srv.ServeTLS(ln, certFile, keyFile), as Serve is srv.Serve.
func ServeTLS(ln net.Listener, srv *http.Server, certFile, keyFile string) error {
	run := func(ln net.Listener) error { return srv.ServeTLS(ln, certFile, keyFile) }
	w := workerproc.Self()
	if w == nil {
		return run(ln)
	}
	return serve(ln, srv, w, run)
}
