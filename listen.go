// Package rota replaces a server's processes one by one without a single refused
// or cut request. Write rota.Listen where you wrote net.Listen:
//
//	ln, err := rota.Listen("tcp", ":8080")
//	if err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(http.Serve(ln, handler))
//
// The process that a person or a supervisor starts becomes the master: it owns the
// listening sockets, starts workers with the same executable, arguments and environment,
// and doesn't return from Listen. In a worker, Listen returns a listener on the master's
// socket, and main continues. SIGHUP to the master replaces the workers one by one: the
// new worker is ready before the old one stops accepting, and the old one exits when its
// last request is answered.
//
// The process runs main up to the first Listen. There it becomes the master: it executes the
// program again, and doesn't run main a second time, so that nothing that main has begun goes
// on in the master. master.Config.RunMain changes that. Effects outside the process, such as
// a file that main writes before Listen, happen in it and in every worker; [IsWorker] tells
// them apart.
//
// ROTA_WORKERS sets the number of workers: a number, or "auto" for one per CPU. The
// default is 1. Other variables, such as ROTA_GRACE=10s, set what Setup has left zero in the
// configuration; docs/operations.md lists them. With ROTA=off, under go test, and on platforms other than Linux, Listen is
// net.Listen. ROTA=on makes a master under go test too.
//
// Package [github.com/rota-go/rota/master] configures the master and runs one by hand,
// [github.com/rota-go/rota/worker] is the worker's view of itself, and
// [github.com/rota-go/rota/rotahttp] drains what a listener can't see: TLS, HTTP/2 and
// hijacked connections.
package rota

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/master"
)

// Listen is net.Listen for a server whose processes can be replaced. What it does depends
// on the process:
//
//   - In a worker it asks the master for the socket. The same network and address in
//     every worker are one socket of the kernel, which stays open while workers crash,
//     leave and are replaced: connections wait in its queue. The n-th ":0" of every
//     worker shares the n-th random port.
//   - In a process that has called master.New it is net.Listen.
//   - Under go test, with ROTA=off, where the platform isn't supported, and in a process that
//     its file gives privileges (set-uid, capabilities), it is net.Listen.
//   - In any other process it makes that process the master and does not return. It
//     ends the process with status 0 after SIGTERM, or with the status of the worker
//     that could not start.
//
// The connections that the listener returns embed *net.TCPConn or *net.UnixConn. The
// listener also has AcceptTCP or AcceptUnix, as package net's; a drain waits for a
// connection that these return until the program closes it, and changes nothing on it. The
// caller closes the listener, which closes this worker's copy of the socket.
//
// Errors are those of net.Listen, as *net.OpError. After the worker has disconnected, or
// when the master is gone, errors.Is finds worker.ErrDisconnected. An invalid value of one of
// rota's environment variables is a *master.ConfigError that names it.
func Listen(network, address string) (net.Listener, error) {
	return new(ListenConfig).Listen(context.Background(), network, address)
}

// ListenPacket is net.ListenPacket for a server whose processes can be replaced. As with
// Listen, the same network and address in every worker are one socket, and datagrams wait
// in its queue while workers are replaced.
//
// The conn that it returns embeds *net.UDPConn, *net.UnixConn or *net.IPConn. On a wildcard
// address (":53"), WriteTo to the *net.UDPAddr that ReadFrom has returned sends from the
// address that the client asked; net.ListenPacket leaves that to the routes. When the
// worker begins to drain, it reads what waits in the socket, and then reads block and leave new datagrams to the other workers; writes
// still work, so that the answers to earlier datagrams go out. The drain ends when every
// reader has called Read again, and 250 ms have passed; then reads fail with net.ErrClosed.
// Use worker.OnDisconnect for work that continues after the next read. When another process shuts the
// socket down (shutdown(2)), reads fail with EPIPE, and the next ListenPacket gets another socket.
//
// The kernel gives a datagram to any worker that reads, not to the worker that had the
// client's last one: docs/sockets.md says what that means for protocols with connections
// of their own, such as QUIC.
func ListenPacket(network, address string) (net.PacketConn, error) {
	return new(ListenConfig).ListenPacket(context.Background(), network, address)
}

// AtOnce and NoLimit, for ListenConfig.CloseWithin, are those of package master.
const (
	AtOnce  = master.AtOnce
	NoLimit = master.NoLimit
)

// ListenConfig holds options for listening. The zero value is Listen.
type ListenConfig struct {
	// Exclusive makes a socket that belongs to this worker alone: the master doesn't
	// know it, no other worker shares it, and it is closed with the worker.
	Exclusive bool

	// Opaque leaves the bytes of connections unchanged. Without it, a draining worker
	// closes HTTP/1 connections gracefully, if they can't move (see Stay): the head of the next response gets the line
	// "Connection: close", and the connection is closed after that response; an idle
	// connection is closed after master.Config.IdleGrace. If there are more than 16
	// connections, the others follow at a limited rate, all within 250 ms. Connections
	// on which the program doesn't answer with "HTTP/1.", TLS, tunnels and streams are
	// always left unchanged.
	Opaque bool

	// Stay keeps connections in the worker that has accepted them. Without it, an HTTP/1
	// connection that waits for its next request moves to the worker's successor when the
	// worker drains, or to another worker that has the socket, and its client notices
	// nothing; see docs/http.md. Set Stay if the program knows more of a connection than
	// HTTP tells it: a login that holds for the connection (NTLM, Negotiate), or values of
	// http.Server.ConnContext that were not made of the connection's addresses. Opaque and
	// Exclusive listeners keep their connections, too.
	Stay bool

	// Backlog is the length of the socket's accept queue. Zero or less means the system's
	// default (net.core.somaxconn). The first worker that asks for a socket decides.
	Backlog int

	// Mode is the mode of a unix socket's file. It is set before the socket can be
	// reached. Zero means the default that the umask leaves. The first worker that asks
	// for a socket decides.
	Mode fs.FileMode

	// KeepAliveConfig is that of net.ListenConfig, for accepted connections.
	KeepAliveConfig net.KeepAliveConfig

	// CloseWithin ends the connections of the listener when the worker begins to drain,
	// spread evenly over that time; AtOnce, or any negative duration, ends all of them together. The program reads
	// io.EOF, after what the client has sent by then, and has a second to write its last
	// bytes and close the connection. It is for servers that keep state between their
	// clients (MQTT, NATS, a chat), which a reload would otherwise divide between two
	// processes for the whole grace: see docs/stateful.md. Such connections don't move.
	// Zero and NoLimit mean that a connection stays until its client or the program closes it
	// or the grace ends. Without a worker it has no effect.
	CloseWithin time.Duration

	// Spread says how the connections of the address are spread over the workers. The zero
	// value is that of master.Config, and if that is zero too, the master chooses. The first
	// worker that asks for a socket decides.
	Spread master.Spread

	// Control is called with the socket, as net.ListenConfig.Control is, if it is not nil.
	// Where this process binds the socket (Exclusive, and where Listen is net.Listen) it is
	// called before bind(2). A shared socket is bound by the master, which can't call a
	// function of the worker: there Control is called in every worker that asks for the
	// socket, after bind(2) and listen(2), and what it sets is set for all workers.
	// Options that must be set before bind(2), such as SO_REUSEPORT, come too late.
	// If Control fails, so does Listen, with its error.
	Control func(network, address string, c syscall.RawConn) error
}

// Listen is the function Listen with options. If ctx ends before Listen returns, Listen
// fails with ctx's error. The end of ctx doesn't affect the listener afterwards.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	switch role() {
	case roleWorker:
		markListening()
		return self().Listen(ctx, bind.NewRequest(network, address, false, lc.options()))
	case rolePlain:
		return lc.options().Listen(ctx, network, address)
	}
	return nil, becomeMaster()
}

// ListenPacket is the function ListenPacket with options. If ctx ends before ListenPacket
// returns, it fails with ctx's error. The end of ctx doesn't affect the conn afterwards.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	switch role() {
	case roleWorker:
		markListening()
		return self().ListenPacket(ctx, bind.NewRequest(network, address, true, lc.options()))
	case rolePlain:
		return lc.options().ListenPacket(ctx, network, address)
	}
	return nil, becomeMaster()
}

// options returns the options as package bind has them: there, zero means that connections
// are not ended.
func (lc *ListenConfig) options() bind.Options {
	o := bind.Options{
		Exclusive: lc.Exclusive, Opaque: lc.Opaque, Stay: lc.Stay, Backlog: lc.Backlog, Mode: lc.Mode,
		KeepAliveConfig: lc.KeepAliveConfig, CloseWithin: lc.CloseWithin, Spread: int(lc.Spread), Control: lc.Control,
	}
	switch {
	case o.CloseWithin < 0:
		o.CloseWithin = time.Nanosecond
	case o.CloseWithin == NoLimit:
		o.CloseWithin = 0
	}
	return o
}

// Track makes ln, a listener that this process has already, part of the worker's drain:
// its connections are counted and closed gracefully, as those of Listen. The master is not
// asked and sends no Listening event. The caller uses and closes the result in place of
// ln. In a process that is not a worker, Track returns ln.
func Track(ln net.Listener) net.Listener {
	if role() != roleWorker {
		return ln
	}
	return self().Track(ln)
}

// IsMaster reports whether this process is not a worker, as Node's cluster.isMaster.
func IsMaster() bool { return !IsWorker() }

// IsWorker reports whether this process was started by a master.
func IsWorker() bool { return link.IsWorker() }

// Setup sets the configuration of the master that Listen starts. A field that is not zero
// overrides its environment variable, ROTA_WORKERS for one. In a worker, and where Listen is net.Listen, the
// configuration has no effect.
//
// The error is a *master.ConfigError that names the invalid value; Listen fails with it
// too. After the first Listen, Setup fails with master.ErrRunning.
func Setup(cfg master.Config) error {
	theMaster.mu.Lock()
	defer theMaster.mu.Unlock()
	if theMaster.listening {
		return fmt.Errorf("setup after Listen: %w", master.ErrRunning)
	}
	theMaster.cfg = cfg
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	return nil
}
