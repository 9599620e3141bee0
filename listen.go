// Package rota replaces a server's processes one by one without a single refused
// or cut request. Write rota.Listen where you wrote net.Listen:
//
//	ln, err := rota.Listen("tcp", ":8080")
//	if err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(http.Serve(ln, handler))
//
// The process that a person starts becomes the master: it owns the listening
// sockets, starts workers of the same executable, arguments and environment, and
// doesn't return from Listen. In a worker, Listen returns a listener on the
// master's socket, and main goes on. kill -HUP of the master replaces the workers:
// the new are ready before the old stop accepting, and the old leave when their last
// request is answered.
//
// Everything that main does before Listen is done by the master too, once. Do there
// what must be done before a worker starts (flags, settings), and after Listen what
// a worker is for. [IsWorker] tells them apart.
//
// ROTA_WORKERS is the number of workers, or "auto" for one a CPU; the default is 1.
// With ROTA=off, under go test, and on platforms other than Linux, Listen is
// net.Listen; ROTA=on makes a master under go test too.
package rota

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/master"
)

// Listen is net.Listen for a server that is never away. What it does depends on the
// process:
//
//   - In a worker it asks the master for the socket. The same network and address in
//     every worker are one socket of the kernel, and it stays open while workers crash,
//     leave and are replaced: connections wait in its queue. The n-th ":0" of every
//     worker shares the n-th random port.
//   - In a process that has called master.New it is net.Listen.
//   - Under go test, with ROTA=off, and where the platform isn't supported, it is
//     net.Listen.
//   - In any other process it makes that process the master and does not return. It
//     ends the process with status 0 after SIGTERM, or with the status of the worker
//     that could not start.
//
// The connections that the listener returns embed *net.TCPConn or *net.UnixConn. The
// caller closes the listener; that closes this worker's copy of the socket.
//
// Errors are those of net.Listen, as *net.OpError. After the worker has disconnected,
// or without a master, the error is worker.ErrDisconnected. A value of ROTA_WORKERS
// that makes no sense is a *master.ConfigError.
func Listen(network, address string) (net.Listener, error) {
	return new(ListenConfig).Listen(context.Background(), network, address)
}

// ListenPacket is net.ListenPacket for a server that is never away, in the same way
// as Listen: the same network and address in every worker are one socket, and what
// has come waits in its queue while workers are replaced.
//
// The conn that it returns embeds *net.UDPConn, *net.UnixConn or *net.IPConn. When
// the worker begins to leave, its reads block and leave what comes to the others; it
// can still write the answers to what it has read. It has left when every reader has
// come back for more, and a moment later the reads fail with net.ErrClosed. Work that
// outlives the next read is the business of worker.OnDisconnect.
//
// The kernel gives a datagram to any worker that reads, not to the one that had the
// last of the same client: see docs/sockets.md for what that means for protocols
// with connections of their own, such as QUIC.
func ListenPacket(network, address string) (net.PacketConn, error) {
	return new(ListenConfig).ListenPacket(context.Background(), network, address)
}

// ListenConfig holds options for listening. The zero value is Listen.
type ListenConfig struct {
	// Exclusive makes a socket of this worker's own, which the master never sees and
	// no other worker shares. It is closed with the worker.
	Exclusive bool

	// Opaque leaves the bytes of connections alone. Without it, a worker that leaves
	// helps HTTP/1 clients to go: the head of the next answer gets the line
	// "Connection: close", and when that answer is complete the connection ends; one
	// that stays idle ends after master.Config.IdleGrace. Of more than 16 connections
	// the others get it in turn, all within a quarter of a second. Connections that don't
	// answer with "HTTP/1.", TLS, tunnels and streams are always left alone.
	Opaque bool

	// Backlog is the length of the socket's queue. Zero means the system's
	// (net.core.somaxconn). The first to ask for a socket decides.
	Backlog int

	// Mode is the mode of a unix socket's file, right before the socket can be
	// reached. Zero means as the umask says. The first to ask decides.
	Mode fs.FileMode

	// KeepAliveConfig is that of net.ListenConfig, for accepted connections.
	KeepAliveConfig net.KeepAliveConfig

	// Control is called with the socket, as net.ListenConfig.Control is, if it is not nil.
	// Where this process binds the socket (Exclusive, and where Listen is net.Listen) it is
	// called before bind(2). A shared socket is bound by the master, which can't call a
	// function of the worker: there Control is called in every worker that asks for the
	// socket, after bind(2) and listen(2), and what it sets is set for all workers.
	// Options that must be set before bind(2), such as SO_REUSEPORT, come too late.
	// If Control fails, so does Listen, with its error.
	Control func(network, address string, c syscall.RawConn) error
}

// Listen is the function Listen with options. If ctx ends first, so does Listen,
// with ctx's error; it has no bearing on the listener afterwards.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	switch role() {
	case roleWorker:
		begun()
		return self().Listen(ctx, bind.NewRequest(network, address, false, lc.options()))
	case rolePlain:
		return lc.options().Listen(ctx, network, address)
	}
	return nil, becomeMaster()
}

// ListenPacket is the function ListenPacket with options. If ctx ends first, so does
// ListenPacket, with ctx's error; it has no bearing on the conn afterwards.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	switch role() {
	case roleWorker:
		begun()
		return self().ListenPacket(ctx, bind.NewRequest(network, address, true, lc.options()))
	case rolePlain:
		return lc.options().ListenPacket(ctx, network, address)
	}
	return nil, becomeMaster()
}

func (lc *ListenConfig) options() bind.Options { return bind.Options(*lc) }

// Handle makes a listener that this process has already, from wherever it has it,
// part of the worker's graceful disconnect. The master is not asked and sends no
// Listening event. Where this process is no worker it returns ln.
func Handle(ln net.Listener) net.Listener {
	if role() != roleWorker {
		return ln
	}
	return self().Handle(ln)
}

// IsMaster reports whether this process is no worker, as in Node.
func IsMaster() bool { return !IsWorker() }

// IsWorker reports whether a master has started this process.
func IsWorker() bool { return link.IsWorker() }

// Setup sets the configuration of the master that Listen starts. Config.Workers comes
// before ROTA_WORKERS. In a worker, and where Listen is net.Listen, it does nothing.
//
// The error is a *master.ConfigError that names a value which makes no sense; Listen
// fails with it too. Call Setup before the first Listen: after it, in a master or a
// worker, it comes too late and fails with master.ErrRunning.
func Setup(cfg master.Config) error {
	theMaster.mu.Lock()
	defer theMaster.mu.Unlock()
	if theMaster.begun {
		return fmt.Errorf("setup after Listen: %w", master.ErrRunning)
	}
	theMaster.cfg = cfg
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	return nil
}
