// Package rotahttp serves HTTP in a worker so that no request is lost when the worker is
// replaced. Use [ListenAndServe] in place of http.ListenAndServe:
//
//	if err := rotahttp.ListenAndServe(":8080", handler); err != nil {
//		log.Fatal(err)
//	}
//
// or, for an http.Server and a listener of your own, [Serve] in place of srv.Serve and
// [ServeTLS] in place of srv.ServeTLS.
//
// A plain http.Serve on a listener of [rota.Listen] already drains cleartext HTTP/1,
// because the listener can read it. This package is for what a listener can't read: TLS,
// HTTP/2 and h2c.
//
// # Drain
//
// When the worker begins to drain:
//
//   - Every listener is closed.
//   - HTTP/1 responses get the header "Connection: close". An idle connection stays open
//     for one more request, whose response has that header. It is closed when it has
//     been idle for master.Config.IdleGrace (5 s by default).
//   - HTTP/2 clients get two GOAWAY frames (RFC 9113, section 6.8). The first refuses no
//     request. The second follows a second later and names the last stream accepted.
//     Streams in flight finish, then the connection is closed.
//   - If there are more than 16 connections, the others are told at a limited rate, all
//     within 250 ms.
//   - Hijacked connections are waited for until the grace ends. Their handlers learn of
//     the drain from the channel of [worker.Worker.Disconnecting].
//   - The functions of http.Server.RegisterOnShutdown are called once, when the last
//     HTTP/1 connection has closed, and at the latest a second before the grace ends. They
//     aren't called earlier, because net/http drops a request that it reads after
//     Shutdown.
//   - Serve returns nil when the worker has left.
//
// A connection that is open when the grace ends (master.Config.Grace, 30 s by default) is
// closed.
//
// In a process that is not a worker, Serve and ServeTLS are the methods of http.Server.
//
// [worker.Worker.Disconnecting]: https://pkg.go.dev/github.com/rota-go/rota/worker#Worker.Disconnecting
package rotahttp

import (
	"crypto/tls"
	"net"
	"net/http"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/workerproc"
)

// ListenAndServe is http.ListenAndServe with a listener of rota.Listen, which it closes.
// A nil handler is http.DefaultServeMux. An empty addr is ":http".
//
// In the process that a person or a supervisor starts, it makes that process the master
// and does not return. In a worker it returns nil when the worker has left, and otherwise
// the error of rota.Listen or of http.Server.Serve.
func ListenAndServe(addr string, handler http.Handler) error {
	ln, err := listen(addr, ":http")
	if err != nil {
		return err
	}
	return Serve(ln, &http.Server{Addr: addr, Handler: handler})
}

// ListenAndServeTLS is [ListenAndServe] over TLS, with HTTP/1.1 and HTTP/2, as
// http.ListenAndServeTLS is. An empty addr is ":https".
//
// A renewed certificate needs no reload: a handshake that comes ten seconds after the last look at
// the two files looks at them again, and gets a new pair itself. A pair that can't be read, or whose
// key doesn't match, is one line on standard error, and the last good one stays. If the files aren't
// read within 0.25 s, handshakes get it too until they are.
func ListenAndServeTLS(addr, certFile, keyFile string, handler http.Handler) error {
	ln, err := listen(addr, ":https")
	if err != nil {
		return err
	}
	defer ln.Close() // nothing else does if the files can't be read
	c, err := newCertificate(certFile, keyFile)
	if err != nil {
		return err
	}
	srv := &http.Server{Addr: addr, Handler: handler, TLSConfig: &tls.Config{GetCertificate: c.get}}
	return ServeTLS(ln, srv, "", "")
}

func listen(addr, defaultAddr string) (net.Listener, error) {
	if addr == "" {
		addr = defaultAddr
	}
	return rota.Listen("tcp", addr)
}

// Serve is srv.Serve(ln), and drains srv when the worker leaves, as the package comment
// says.
//
// Serve closes ln. ln may be any listener: a *net.TCPListener or *net.UnixListener that
// doesn't come from rota becomes part of the worker's drain, as with rota.Track; with
// other types, hijacked connections are not waited for.
//
// Serve returns nil when the worker has left. If srv.Serve returns before the worker
// begins to drain, Serve returns its error at once: http.ErrServerClosed after
// srv.Shutdown or srv.Close, which may be called as usual.
//
// The fields of srv must be set before. In a worker, Serve replaces Handler, ConnState,
// ConnContext and BaseContext by functions that call the original ones, and the functions
// of TLSNextProto. Further calls with the same srv, for other listeners, are allowed.
func Serve(ln net.Listener, srv *http.Server) error {
	w := workerproc.Self()
	if w == nil {
		return srv.Serve(ln)
	}
	return serve(ln, srv, w, srv.Serve)
}

// Prepare drains srv as [Serve] does, for a server that another library serves. Call it
// before the library calls srv.Serve, srv.ServeTLS or their like:
//
//	rotahttp.Prepare(e.Server) // echo
//	log.Fatal(e.StartH2CServer(addr, h2s))
//
// The library may set the fields of srv after Prepare, except for BaseContext: the others
// are read, and replaced as Serve does, when srv.Serve begins. The listener must come from
// rota.Listen or rota.Track. In a drain its Accept, and with it srv.Serve, blocks until the
// worker has left; then srv.Serve returns http.ErrServerClosed. The library must not call
// srv.Shutdown for that drain, because Prepare does.
//
// A connection that a handler hijacks to serve HTTP/2 on it, as
// golang.org/x/net/http2/h2c does, gets the first GOAWAY too. It ends when no request has
// been open on it for a moment, at the earliest a second later.
//
// In a process that is not a worker, Prepare does nothing. Calling it again for srv
// changes nothing.
func Prepare(srv *http.Server) {
	if w := workerproc.Self(); w != nil {
		prepare(srv, w)
	}
}

// ServeTLS is srv.ServeTLS(ln, certFile, keyFile), and otherwise as [Serve]. It leaves ln
// open if the files can't be read, as srv.ServeTLS does.
//
// Clients resume their TLS sessions at every worker, also after reloads and upgrades,
// because all workers have the same keys of session tickets; see
// worker.Worker.OnTicketKeys. If srv.TLSConfig has a SessionTicketKey, WrapSession or
// SessionTicketsDisabled, that is left as it is.
func ServeTLS(ln net.Listener, srv *http.Server, certFile, keyFile string) error {
	serveTLS := func(ln net.Listener) error { return srv.ServeTLS(ln, certFile, keyFile) }
	w := workerproc.Self()
	if w == nil {
		return serveTLS(ln)
	}
	shareTickets(srv, w)
	return serve(ln, srv, w, serveTLS)
}
