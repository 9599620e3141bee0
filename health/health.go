// Package health tells load balancers and supervisors how a master serves: over HTTP for
// Kubernetes, ELB, Consul and others, and to HAProxy's agent-check. The master serves it, on an
// address of its own, so that it answers for all workers, and while none is ready:
//
//	rota.OnMaster(health.Serve(health.Config{
//		HTTP:  "127.0.0.1:8081", // /livez, /readyz, /drain
//		Agent: ":8082",          // HAProxy: agent-check agent-port 8082
//	}))
//	ln, err := rota.Listen("tcp", ":8080")
//
// The answers:
//
//	GET /livez   200 if the master's loop answers within a second
//	GET /readyz  200 if at least MinReady slots have a worker that is ready
//	POST /drain  from this host: not ready from now on, but everything goes on. DELETE ends that.
//	             "rota drain" and "rota undrain" are the same, by the control socket
//	agent        "ready up 75%" by the slots that are ready, "drain", or "down"
//
// An upgrade of the master hands the sockets over: no check is refused. docs/fleet.md says which
// of these to use where.
//
// A client that is slow, or one of many, costs nothing: there are at most 64 connections an
// address, each for two seconds and a few hundred bytes, a new one ends the oldest, and the
// master's loop is asked at most 50 times a second. A program that doesn't import this package
// doesn't link it.
package health

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"

	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/reload"
)

// Config says what is served, and where. An address is one of net.Listen's network tcp; a path that
// begins with a slash is a unix socket; "fd health" is the socket of that name from systemd.
// Two servers have two addresses.
type Config struct {
	// HTTP is the address of /livez, /readyz and /drain. Empty means none.
	HTTP string
	// Agent is the address for HAProxy's agent-check. Empty means none. HAProxy never asks
	// for anything there but the state, which anybody may know that reaches it.
	Agent string

	// MinReady is how many slots must have a worker that is ready. Zero means 1. More than there
	// are workers means all of them.
	MinReady int
	// ReadyInDelay keeps /readyz at 200 during master.Config.StopDelay. Kubernetes wants that: it
	// stops sending traffic by itself, and may send it to a pod that ends while no other is ready.
	// Without it /readyz fails as soon as the stop begins, as HAProxy, ELB and others need that
	// know of the stop by this alone. The agent always says drain then.
	ReadyInDelay bool

	// Logger gets a line if an address can't be listened on; the program serves on. Nil means
	// slog.Default.
	Logger *slog.Logger
}

// Master is what is asked of a master. A *master.Master is one.
type Master interface {
	// Listen listens on an address that a new master of an upgrade takes over.
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	// Serving returns how many slots have a worker that is ready, how many slots there are, and
	// what the master is doing.
	Serving() (ready, slots int, s reload.State)
	// SetDrained sets what the state's Drained returns.
	SetDrained(ctx context.Context, drained bool) error
}

var _ Master = (*master.Master)(nil)

// Serve returns a function for rota.OnMaster that serves cfg, on goroutines that end with the
// master.
func Serve(cfg Config) func(*master.Master) {
	return func(m *master.Master) { New(m, cfg).Start() }
}

// A Server answers for one master.
type Server struct {
	cfg   Config
	m     Master
	pulse pulse
	turn  chan struct{} // full while the master is told of a drain
}

// New returns a server that answers for m. A program whose master isn't rota.Listen's calls it
// and then Start.
func New(m Master, cfg Config) *Server {
	return &Server{cfg: cfg, m: m, pulse: pulse{ask: m.Serving}, turn: make(chan struct{}, 1)}
}

// Start serves the addresses of the configuration, on goroutines that end when the master is
// closed or a new one has taken over. It returns at once.
func (s *Server) Start() {
	go s.serve(s.cfg.HTTP, s.serveHTTP)
	go s.serve(s.cfg.Agent, s.serveAgent)
}

// serve listens on address, if there is one, and calls on with the listener.
func (s *Server) serve(address string, on func(net.Listener)) {
	if address == "" {
		return
	}
	network, address := split(address)
	ln, err := s.m.Listen(context.Background(), network, address)
	switch {
	case errors.Is(err, master.ErrClosed):
	case err != nil:
		s.logger().Error("rota: health isn't served", "err", err)
	default:
		on(newBounded(ln))
	}
}

// split returns the network of an address of Config.
func split(address string) (network, rest string) {
	switch {
	case strings.HasPrefix(address, "/"):
		return "unix", address
	case strings.HasPrefix(address, "fd "):
		return "fd", strings.TrimPrefix(address, "fd ")
	}
	return "tcp", address
}

func (s *Server) logger() *slog.Logger {
	if s.cfg.Logger != nil {
		return s.cfg.Logger
	}
	return slog.Default()
}
