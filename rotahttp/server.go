package rotahttp

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/ratelimit"
)

// worker is what this package uses of workerproc.Worker, so that tests can drain a server
// without a master.
type worker interface {
	Disconnecting() <-chan struct{}
	Done() <-chan struct{}
	OnDisconnect(func(context.Context) error)
	IdleGrace() time.Duration
	Track(net.Listener) net.Listener
	OnTicketKeys(func([][32]byte))
	Settled() bool
	HoldAccepts()
	CountsRequests()
	BeginRequest()
	EndRequest(status int, took time.Duration)
}

// server drains an http.Server, by its hooks. An http.Server has one of it, however many
// listeners it serves.
type server struct {
	http       *http.Server
	worker     worker
	isPrepared bool // the program calls the http.Server's Serve itself: see Prepare

	// The values that the program has set in these fields of http.
	connState   func(net.Conn, http.ConnState)
	connContext func(context.Context, net.Conn) context.Context
	baseContext func(net.Listener) context.Context

	draining   atomic.Bool
	drainBegan time.Time         // used by the drain goroutine alone
	limiter    ratelimit.Limiter // started with the drain
	http1      http1Conns
	http2      http2Conns

	mu         sync.Mutex
	listeners  map[*listener]bool // that http.Serve accepts from
	hasHTTP2   bool               // hookHTTP2 has replaced TLSNextProto
	isShutDown bool               // Shutdown or Close was called

	changed     chan struct{} // capacity 1: a connection or a Serve has ended
	graceEnding chan struct{} // closed shutdownLead before the end of the grace
	drained     chan struct{} // closed when the drain is complete
}

// attachMu guards the Handler and the hooks of every http.Server during attach. It is one
// for the process because an http.Server has no place for a mutex of this package.
var attachMu sync.Mutex

// attach returns the server that drains srv. The first call for srv makes it, installs it
// in the fields of srv, and starts its drain goroutine. That ends with the worker.
func attach(srv *http.Server, w worker) *server {
	attachMu.Lock()
	defer attachMu.Unlock()
	if h, ok := srv.Handler.(*handler); ok {
		return h.server
	}
	s := install(srv, w, false)
	if srv.BaseContext != nil {
		s.baseContext, srv.BaseContext = srv.BaseContext, s.onBaseContext
	}
	return s
}

// prepare has srv.Serve call attach, in effect, when it begins: until then the program may
// set its fields. BaseContext is the one field that Serve calls before it accepts.
func prepare(srv *http.Server, w worker) {
	var s *server
	base := srv.BaseContext
	srv.BaseContext = func(ln net.Listener) context.Context {
		attachMu.Lock()
		s = prepared(srv, w, s)
		attachMu.Unlock()
		s.hookHTTP2()
		if base == nil {
			return context.Background()
		}
		return base(ln)
	}
}

// prepared returns the server that drains srv, whose Serve has begun. s is the one that it has
// by an earlier call, or nil. A library may have replaced the Handler since. attachMu is held.
func prepared(srv *http.Server, w worker, s *server) *server {
	h, ok := srv.Handler.(*handler)
	switch {
	case ok:
		return h.server
	case s != nil:
		srv.Handler = &handler{s, srv.Handler}
		return s
	}
	return install(srv, w, true)
}

// install makes the server that drains srv. attachMu is held.
func install(srv *http.Server, w worker, isPrepared bool) *server {
	s := &server{
		http: srv, worker: w, isPrepared: isPrepared,
		connState: srv.ConnState, connContext: srv.ConnContext,
		listeners:   make(map[*listener]bool),
		changed:     make(chan struct{}, 1),
		graceEnding: make(chan struct{}),
		drained:     make(chan struct{}),
	}
	s.http1.changed, s.http2.changed = s.changed, s.changed
	srv.Handler, srv.ConnState, srv.ConnContext = &handler{s, srv.Handler}, s.onConnState, s.onConnContext
	srv.RegisterOnShutdown(s.wasShutDown)
	w.OnDisconnect(s.awaitDrained)
	w.CountsRequests()
	go s.drain()
	return s
}

// serve runs srv on ln. It returns nil when w has left, and the error of run if run returns
// before w begins to drain. run closes the listener.
func serve(ln net.Listener, srv *http.Server, w worker, run func(net.Listener) error) error {
	switch ln.(type) {
	case *net.TCPListener, *net.UnixListener:
		ln = w.Track(ln)
	}
	s := attach(srv, w)
	err := s.run(&listener{Listener: ln, server: s}, run)
	select {
	case <-w.Disconnecting():
		<-w.Done()
		return nil
	default:
		return err
	}
}

// run calls run with ln, which is in s.listeners until run returns.
func (s *server) run(ln *listener, run func(net.Listener) error) error {
	s.mu.Lock()
	s.listeners[ln] = true
	s.mu.Unlock()
	if s.draining.Load() {
		_ = ln.Close() // closeListeners may have run before ln was in the map
	}
	err := run(ln)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
	notify(s.changed)
	s.isShutDown = s.isShutDown || err == http.ErrServerClosed
	return err
}

// wasShutDown records that Shutdown was called, by the program or the drain.
func (s *server) wasShutDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isShutDown = true
	notify(s.changed)
}

func (s *server) hasShutDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isShutDown
}

// notify wakes the drain goroutine, which rechecks everything. It never blocks.
func notify(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// listener is the listener that http.Server.Serve gets. Its first Accept installs the
// HTTP/2 hook: by then Serve has set up HTTP/2, and no connection exists yet.
type listener struct {
	net.Listener
	server *server
	first  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	l.first.Do(l.server.hookHTTP2)
	return l.Listener.Accept()
}
