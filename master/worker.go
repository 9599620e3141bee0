package master

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/ipc"
)

// State says where a worker is in its life.
type State int32

const (
	Starting     State = iota // the process is being started, or hasn't said hello yet
	Online                    // the worker has said hello
	Listening                 // it has a socket
	Draining                  // it finishes its connections
	Disconnected              // its link is closed
	Dead                      // its process has ended
)

func (s State) String() string {
	return [...]string{"starting", "online", "listening", "draining", "disconnected", "dead"}[s]
}

// Worker is one worker as its master sees it: Node's cluster.Worker. The methods of a worker
// that has died return its last state.
type Worker struct {
	m                    *Master
	id, slot, generation int
	grace                time.Duration // of its generation

	exited    chan struct{}
	source    *delivery.Source[Events]
	output    child.Output
	published child.Published[State]
	mail      child.Mail
}

func newWorker(m *Master, id, slot int, g *generation) *Worker {
	w := &Worker{m: m, id: id, slot: slot, generation: g.Number, grace: g.Config.grace(), exited: make(chan struct{})}
	w.source = newSource(w, id)
	if g.Config.Silent {
		w.output = child.NewOutput()
	}
	return w
}

// ID returns the worker's id: 1, 2, 3 …, never used again.
func (w *Worker) ID() int { return w.id }

// Slot returns the worker's place in the rota, from 0. Its successor gets the same slot.
func (w *Worker) Slot() int { return w.slot }

// Generation returns the number of the reload that has started the worker.
func (w *Worker) Generation() int { return w.generation }

// Process returns the worker's process, or nil if there is none (yet). The master waits for
// it: don't call its Wait or Release.
func (w *Worker) Process() *os.Process { return w.published.Now().Process }

// Stdout returns a reader of what the worker writes to its standard output, or nil without
// Config.Silent. It need not be read: until Stdout is called, and when the reader pauses for
// a second while the worker writes, only the newest 64 KB are kept, and the worker is not
// blocked. The reader returns io.EOF when the worker has ended.
func (w *Worker) Stdout() io.Reader { return w.output.Stdout() }

// Stderr is as Stdout, for standard error.
func (w *Worker) Stderr() io.Reader { return w.output.Stderr() }

// Exited returns a channel that is closed when the worker has ended and the functions of
// Events have been called. It doesn't wait for a function that takes longer than 100 ms.
func (w *Worker) Exited() <-chan struct{} { return w.exited }

// IsConnected reports whether the link to the worker is open.
func (w *Worker) IsConnected() bool { return w.published.Now().Connected }

// IsDead reports whether the worker's process has ended.
func (w *Worker) IsDead() bool { return w.State() == Dead }

// State returns the worker's state.
func (w *Worker) State() State { return w.published.Now().State }

// Voluntary reports whether the worker's end was asked for: yes as soon as the master or the
// worker itself has called Disconnect or Kill, no when it has ended in any other way. Until
// then known is false. It is Node's worker.exitedAfterDisconnect, formerly worker.suicide.
func (w *Worker) Voluntary() (yes, known bool) {
	v := w.published.Now().Voluntary
	return v == child.Voluntary, v != child.Unknown
}

// Disconnect tells the worker to drain and leave, and returns at once. Called again, or on a
// dead worker, it does nothing. The error is always nil.
func (w *Worker) Disconnect() error {
	w.published.Decide(child.Voluntary)
	w.m.loop.Post(func(l *loop) { l.disconnect(w.id, w.grace) })
	return nil
}

// Kill sends the worker a signal, SIGTERM if sig is nil, and tells Run to start no worker in
// its place until the next reload or Scale. On a dead worker it does nothing. The error is
// that of sending the signal.
func (w *Worker) Kill(sig os.Signal) error {
	w.published.Decide(child.Voluntary)
	err := w.m.loop.Ask(func(l *loop) error { return l.kill(w.id, sig) })
	if err == ErrClosed {
		return nil // and dead
	}
	return err
}

// Send sends v as JSON, and handles with it, to the worker, and returns at once. The worker
// gets the message at worker.Self().OnMessage, after all that was sent before. A message
// that was sent may not arrive, if the worker dies first: Exit.Undelivered counts them.
//
// Send fails with ErrDisconnected without a link, with ErrQueueFull if the worker
// doesn't read fast enough, with ipc.ErrTooLarge, with ipc.ErrHandle, and if v can't be
// encoded as JSON. If it fails, nothing was sent.
func (w *Worker) Send(v any, handles ...ipc.Handle) error {
	now := w.published.Now()
	if !now.Connected {
		return fmt.Errorf("send to worker %d: %w", w.id, ErrDisconnected)
	}
	if err := w.mail.Send(now.Link, v, handles); err != nil {
		return fmt.Errorf("send to worker %d: %w", w.id, err)
	}
	return nil
}

// Subscribe has the functions of e called for this worker alone. The worker's earlier
// events, except Fork, are repeated first, so that a program that subscribes after Fork gets
// all of them; messages are kept until somebody subscribes to them. After cancel no function
// of e begins any more. See [Events].
func (w *Worker) Subscribe(e Events) (cancel func()) { return w.m.events.Subscribe(w.source, e) }
