// Package worker is a worker's view of itself: who it is in the rota, and how
// it leaves. It is Node's cluster.worker.
//
// A process is a worker when a master has started it. [Self] is nil in every
// other process, so a program asks for it and goes on:
//
//	if w := worker.Self(); w != nil {
//		log.SetPrefix(fmt.Sprintf("worker %d: ", w.ID()))
//		w.OnDisconnect(func(ctx context.Context) error { return srv.Shutdown(ctx) })
//	}
//
// Sockets come from rota.Listen. A worker ends by itself, gracefully, when its
// master asks or is gone: see [Worker.Disconnect] for the order of things.
package worker

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// ErrDisconnected is in every error of a worker that has disconnected, or whose
// master is gone. errors.Is finds it.
var ErrDisconnected = ipc.ErrDisconnected

const (
	defaultGrace     = 30 * time.Second
	defaultIdleGrace = 5 * time.Second
)

// link is what a worker needs of link.Link.
type masterLink interface {
	Send(wire.Frame, ...*descriptor.FD) error
	Receive() ([]link.Packet, error)
	CloseReceived()
	CloseWrite(context.Context) error
	Close() error
}

// Worker is this process as a member of a rota. All methods may be called from
// any goroutine.
type Worker struct {
	id   link.Identity
	link masterLink
	exit func(status int) // os.Exit

	drain  *drain
	health health
	calls  calls
	inbox  *inbox
	times  atomic.Pointer[wire.WelcomeBody]

	orphaned atomic.Bool // the master is gone
	cause    atomic.Pointer[error]
	gone     chan struct{} // closed when nothing can be sent any more
	left     chan struct{} // closed when the drain is over

	readyOnce sync.Once
	goneOnce  sync.Once
	leaveOnce sync.Once
}

// self is the worker that this process is. It is made before main's own init
// functions run, so that no code of the program sees the environment variable.
var self = inherit()

// Self returns this process as a worker, or nil in a process that no master has
// started.
func Self() *Worker { return self }

func inherit() *Worker {
	id, link, ok, err := link.Inherit()
	if !ok {
		return nil
	}
	keepName()
	if err != nil {
		w := newWorker(id, nil)
		w.disconnect(err)
		return w
	}
	w := newWorker(id, link)
	w.hello()
	go w.read()
	return w
}

func newWorker(id link.Identity, l masterLink) *Worker {
	w := &Worker{
		id:    id,
		link:  l,
		exit:  os.Exit,
		gone:  make(chan struct{}),
		left:  make(chan struct{}),
		drain: newDrain(),
	}
	w.inbox = newInbox(w.messageFailed, w.drain.notify)
	w.drain.addSource(w.inbox)
	w.times.Store(&wire.WelcomeBody{Grace: defaultGrace, IdleGrace: defaultIdleGrace})
	return w
}

// ID returns the worker's id: 1, 2, 3 …, never used again in the life of a master.
func (w *Worker) ID() int { return w.id.ID }

// Slot returns the worker's place in the rota, from 0. A successor has the same.
func (w *Worker) Slot() int { return w.id.Slot }

// Generation returns the number of the reload that started this worker.
func (w *Worker) Generation() int { return w.id.Generation }

// Ready tells a master with Config.WaitReady that this worker can take over. It
// does nothing in any other, and nothing the second time. It fails with
// ErrDisconnected.
func (w *Worker) Ready() error {
	if !w.IsConnected() {
		return w.disconnected("ready")
	}
	var err error
	w.readyOnce.Do(func() { err = w.send(wire.Ready, nil) })
	return err
}

// Disconnect makes the worker leave gracefully, and returns at once. Whoever asks
// (this method, the master, a reload, SIGTERM), the order is:
//
//  1. This process gives up its copies of the listening sockets. Connections that
//     still wait in their queues go to the other workers.
//  2. [Worker.Disconnecting] is closed. The hooks of [Worker.OnDisconnect] run as
//     soon as no HTTP/1 connection may bring another request, which srv.Shutdown
//     would drop: at once where there is none, at most IdleGrace later.
//  3. Accept keeps blocking while accepted connections live, so that a main which
//     ends when http.Serve returns doesn't cut them. HTTP/1 clients are told to
//     go (see rota.ListenConfig.Opaque).
//  4. When the last connection has closed and the hooks have returned, or the
//     grace is over and what was left has been closed, all that was sent to the
//     master is delivered, the link closes, [Worker.Done] is closed, and Accept
//     returns net.ErrClosed.
//
// The process then ends by itself, as main returns, or the master ends it. Asking
// twice does nothing. It fails with ErrDisconnected where there is no link.
func (w *Worker) Disconnect() error {
	if !w.IsConnected() {
		return w.disconnected("disconnect")
	}
	w.leave()
	return nil
}

// Kill is Disconnect, and tells the master's pool to start no other worker in
// this one's place.
func (w *Worker) Kill() error {
	if !w.IsConnected() {
		return w.disconnected("kill")
	}
	err := w.send(wire.Retire, nil)
	w.leave()
	return err
}

// Disconnecting returns a channel that is closed when the worker begins to leave.
func (w *Worker) Disconnecting() <-chan struct{} { return w.drain.begun }

// OnDisconnect has f called when the worker leaves, at step 2 of Disconnect: this is
// where srv.Shutdown or grpcServer.GracefulStop go. Each f runs on a goroutine of its own,
// with a context that ends with the grace; the worker stays until all have
// returned or the grace is over. An f that is given after the others
// have been called is called at once. An error is logged.
func (w *Worker) OnDisconnect(f func(context.Context) error) { w.drain.addHook(f, w.hookFailed) }

// Done returns a channel that is closed when the worker has left: its connections
// are closed, its hooks have returned, and the link is closed.
func (w *Worker) Done() <-chan struct{} { return w.drain.over }

// IsConnected reports whether the link to the master is open.
func (w *Worker) IsConnected() bool {
	select {
	case <-w.gone:
		return false
	default:
		return true
	}
}

// disconnected is the error of a worker without a link, with the reason.
func (w *Worker) disconnected(op string) error {
	if cause := w.cause.Load(); cause != nil {
		return fmt.Errorf("%s: worker %d: %w: %w", op, w.id.ID, ErrDisconnected, *cause)
	}
	return fmt.Errorf("%s: worker %d: %w", op, w.id.ID, ErrDisconnected)
}

// disconnect says that nothing can be sent any more, and why if there is a reason.
func (w *Worker) disconnect(cause error) {
	w.goneOnce.Do(func() {
		if cause != nil {
			w.cause.Store(&cause)
		}
		close(w.gone)
	})
}

func (w *Worker) messageFailed(p any, stack []byte) {
	w.complain("an OnMessage function panicked: %v\n%s", p, stack)
}

func (w *Worker) hookFailed(err error) { w.complain("a hook of OnDisconnect failed: %v", err) }

// complain writes a line for the operator.
func (w *Worker) complain(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "rota: worker %d: %s\n", w.id.ID, fmt.Sprintf(format, args...))
}
