package rotahttp

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/pace"
)

// shift is what this package needs of worker.Worker.
type shift interface {
	Disconnecting() <-chan struct{}
	Done() <-chan struct{}
	OnDisconnect(func(context.Context) error)
	IdleGrace() time.Duration
	Track(net.Listener) net.Listener
}

// server is what Serve adds to an http.Server: its Handler, and its hooks. There is
// one of it for a server, however many listeners that serves.
type server struct {
	http  *http.Server
	shift shift

	// What the program has set.
	handler     http.Handler
	connState   func(net.Conn, http.ConnState)
	connContext func(context.Context, net.Conn) context.Context
	baseContext func(net.Listener) context.Context

	draining atomic.Bool
	pace     pace.Pace // begins with it
	conns    conns
	http2    http2Conns

	mu        sync.Mutex
	listeners map[*listener]bool // that srv.Serve accepts from
	hasHTTP2  bool               // the protocol's hooks are in place
	closed    bool               // the program has called Shutdown or Close

	changed chan struct{} // has a place for one: something has come to its end
	hurry   chan struct{} // closed when the grace is about to end
	over    chan struct{} // closed when all is seen off
}

// preparing guards the fields of every http.Server while of is at work.
var preparing sync.Mutex

// of returns what Serve adds to srv. It is added once.
func of(srv *http.Server, sh shift) *server {
	preparing.Lock()
	defer preparing.Unlock()
	if s, ok := srv.Handler.(*server); ok {
		return s
	}
	s := &server{
		http: srv, shift: sh,
		handler: srv.Handler, connState: srv.ConnState, connContext: srv.ConnContext, baseContext: srv.BaseContext,
		listeners: make(map[*listener]bool),
		changed:   make(chan struct{}, 1),
		hurry:     make(chan struct{}),
		over:      make(chan struct{}),
	}
	s.conns.changed, s.http2.changed = s.changed, s.changed
	srv.Handler, srv.ConnState, srv.ConnContext = s, s.onState, s.onConn
	if srv.BaseContext != nil {
		srv.BaseContext = s.onListener
	}
	sh.OnDisconnect(s.hold)
	go s.drain()
	return s
}

// serve runs srv on ln, and returns nil when the worker has left.
func serve(ln net.Listener, srv *http.Server, sh shift, run func(net.Listener) error) error {
	switch ln.(type) {
	case *net.TCPListener, *net.UnixListener:
		ln = sh.Track(ln)
	}
	s := of(srv, sh)
	err := s.run(&listener{Listener: ln, server: s}, run)
	select {
	case <-sh.Disconnecting():
		<-sh.Done()
		return nil
	default:
		return err
	}
}

func (s *server) run(ln *listener, run func(net.Listener) error) error {
	s.mu.Lock()
	s.listeners[ln] = true
	s.mu.Unlock()
	if s.draining.Load() {
		_ = ln.Close() // the drain may not have seen it
	}
	err := run(ln)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
	poke(s.changed)
	s.closed = s.closed || err == http.ErrServerClosed
	return err
}

// listener is what srv.Serve gets. It calls Accept when it has set up HTTP/2, and has
// no connection yet.
type listener struct {
	net.Listener
	server *server
	first  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	l.first.Do(l.server.hookHTTP2)
	return l.Listener.Accept()
}

// onListener is the server's BaseContext.
func (s *server) onListener(ln net.Listener) context.Context {
	if l, ok := ln.(*listener); ok {
		ln = l.Listener
	}
	return s.baseContext(ln)
}

// onState is the server's ConnState.
func (s *server) onState(c net.Conn, state http.ConnState) {
	if h, ok := c.(interface{ served() net.Conn }); ok {
		c = h.served() // HTTP/2: the program knows the conn below
	} else {
		s.conns.note(c, state)
	}
	if s.connState != nil {
		s.connState(c, state)
	}
}

// saysClose is the key in the context of connections that announce their end
// themselves.
type saysClose struct{}

// onConn is the server's ConnContext.
func (s *server) onConn(ctx context.Context, c net.Conn) context.Context {
	if s.connContext != nil {
		ctx = s.connContext(ctx, c)
	}
	if c, ok := c.(interface{ SaysClose() bool }); ok && ctx != nil && c.SaysClose() {
		ctx = context.WithValue(ctx, saysClose{}, saysClose{})
	}
	return ctx
}

// ServeHTTP makes server the Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() && saysCloseByHeader(r) && s.pace.Due() {
		s.pace.Told()
		w.Header().Set("Connection", "close")
	}
	if s.handler == nil {
		http.DefaultServeMux.ServeHTTP(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// saysCloseByHeader reports whether the answer to r needs the header: not where the
// conn adds it, nor where the connection goes on as something else.
func saysCloseByHeader(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.Method != http.MethodConnect && r.Header["Upgrade"] == nil &&
		r.Context().Value(saysClose{}) == nil
}
