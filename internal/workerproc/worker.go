// Package workerproc implements a worker process: the link to the master, the sockets that
// the master passes over it, messages, health checks, and the drain. Package worker exports
// it; rota.Listen and package rotahttp use it too.
package workerproc

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/calls"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/hooks"
	"github.com/rota-go/rota/internal/inbox"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/moment"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/statepipe"
	"github.com/rota-go/rota/internal/turn"
	"github.com/rota-go/rota/internal/usage"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

const (
	defaultGrace     = 30 * time.Second
	defaultIdleGrace = 5 * time.Second
)

// masterLink is what a worker needs of link.Link. It is a seam for tests.
type masterLink interface {
	Send(wire.Frame, ...*descriptor.FD) error
	Receive() ([]link.Packet, error)
	CloseReceived()
	CloseWrite(context.Context) error
	Close() error
}

// Worker is this process as a worker. All methods may be called from any goroutine.
type Worker struct {
	id   link.Identity
	link masterLink
	exit func(status int) // os.Exit

	usage.Counters // of what it has served

	drain     *drain
	health    hooks.Health
	calls     calls.Calls
	inbox     *inbox.Inbox
	notified  notified     // the master is, of the inbox
	arrival   moment.First // of main at what it does: its first Accept, ReadFrom or Ready
	trial     moment.First // when it began
	times     atomic.Pointer[wire.WelcomeBody]
	tickets   tickets
	poller    turn.Poller
	listeners descriptor.Listeners
	handed    handed
	state     state
	asking    chan struct{} // full while the answer to Status is awaited
	last      hooks.Last

	holdsAccepts atomic.Bool // see HoldAccepts

	reports  atomic.Int32 // lines that are being written to standard error
	orphaned atomic.Bool  // the master is gone
	cause    atomic.Pointer[error]
	closed   chan struct{} // closed when nothing can be sent any more
	drained  chan struct{} // closed when the drain is over

	readyOnce sync.Once
	closeOnce sync.Once
	drainOnce sync.Once
}

// self is the one worker that a process can be. It is made while this package is
// initialised, before main's init functions, so that the environment variable is removed
// before main can start a process.
var self = inherit()

// Self returns this process as a worker, or nil if no master has started it.
func Self() *Worker { return self }

func inherit() *Worker {
	id, link, ok, err := link.Inherit()
	if !ok {
		return nil
	}
	process.NameWorker(id.Slot)
	if err != nil {
		w := newWorker(id, nil)
		w.markDisconnected(err)
		return w
	}
	w := newWorker(id, link)
	w.hello()
	go w.readLink()
	return w
}

func newWorker(id link.Identity, l masterLink) *Worker {
	w := &Worker{
		id:      id,
		link:    l,
		exit:    os.Exit,
		closed:  make(chan struct{}),
		drained: make(chan struct{}),
		asking:  make(chan struct{}, 1),
		state:   state{writer: statepipe.NewWriter()},
	}
	w.drain = newDrain(&w.Moved)
	w.handed.worker = w
	w.Most = func() int64 { return w.times.Load().MaxRequests }
	w.Worn = func() { _ = w.send(wire.Worn, nil) } // fails if the master is gone
	w.inbox = w.newInbox()
	w.drain.addSource(inboxSource{w.inbox})
	w.drain.addSource(&w.state)
	w.times.Store(&wire.WelcomeBody{Grace: defaultGrace, IdleGrace: defaultIdleGrace})
	return w
}

// ID returns the worker's id.
func (w *Worker) ID() int { return w.id.ID }

// Slot returns the worker's place in the rota.
func (w *Worker) Slot() int { return w.id.Slot }

// Generation returns the number of the reload that has started this worker.
func (w *Worker) Generation() int { return w.id.Generation }

// Ready tells the master that the program is ready.
func (w *Worker) Ready() error {
	if !w.IsConnected() {
		return w.disconnected("ready")
	}
	w.arrival.Record()
	var err error
	w.readyOnce.Do(func() { err = w.send(wire.Ready, nil) })
	return err
}

// Disconnect begins the drain.
func (w *Worker) Disconnect() error {
	if !w.IsConnected() {
		return w.disconnected("disconnect")
	}
	w.startDrain()
	return nil
}

// Kill begins the drain, and tells the master to start no successor.
func (w *Worker) Kill() error {
	if !w.IsConnected() {
		return w.disconnected("kill")
	}
	err := w.send(wire.Retire, nil)
	w.startDrain()
	return err
}

// Disconnecting returns a channel that is closed when the drain begins.
func (w *Worker) Disconnecting() <-chan struct{} { return w.drain.started }

// OnDisconnect adds a function to be called in the drain.
func (w *Worker) OnDisconnect(f func(context.Context) error) { w.drain.addHook(f, w.hookFailed) }

// Done returns a channel that is closed when the worker has left.
func (w *Worker) Done() <-chan struct{} { return w.drain.left }

// IdleGrace returns the master's Config.IdleGrace.
func (w *Worker) IdleGrace() time.Duration { return w.times.Load().IdleGrace }

// IsConnected reports whether the link to the master is open.
func (w *Worker) IsConnected() bool {
	select {
	case <-w.closed:
		return false
	default:
		return true
	}
}

// disconnected returns the error of an operation without a link, with the reason.
func (w *Worker) disconnected(op string) error {
	if cause := w.cause.Load(); cause != nil {
		return fmt.Errorf("%s: worker %d: %w: %w", op, w.id.ID, ipc.ErrDisconnected, *cause)
	}
	return fmt.Errorf("%s: worker %d: %w", op, w.id.ID, ipc.ErrDisconnected)
}

// markDisconnected records that nothing can be sent any more, and why. cause may be nil.
func (w *Worker) markDisconnected(cause error) {
	w.closeOnce.Do(func() {
		if cause != nil {
			w.cause.Store(&cause)
		}
		close(w.closed)
	})
}

// OnLeave adds a function to be called when the drain is over; see package worker.
func (w *Worker) OnLeave(f func()) { w.last.Add(f) }

func (w *Worker) hookFailed(err error) { w.report("an OnDisconnect function failed: %v", err) }

// reportTimeout is how long a worker waits until a line is written.
const reportTimeout = 100 * time.Millisecond

// maxReports is how many lines wait to be written at most.
const maxReports = 16

// report writes a line for the operator to standard error. If nobody reads that, it goes on,
// and the line may come late, or never.
func (w *Worker) report(format string, args ...any) {
	if w.reports.Add(1) > maxReports {
		w.reports.Add(-1)
		return
	}
	text, written := fmt.Sprintf(format, args...), make(chan struct{})
	go func() {
		defer close(written)
		defer w.reports.Add(-1)
		fmt.Fprintf(os.Stderr, "rota: worker %d: %s\n", w.id.ID, text)
	}()
	select {
	case <-written:
	case <-time.After(reportTimeout):
	}
}
