package master

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/window"
)

// State is where a worker is in its life.
type State int32

const (
	Starting     State = iota // forked, not yet heard of
	Online                    // it runs and speaks
	Listening                 // it has a socket
	Draining                  // it finishes its connections
	Disconnected              // its link is closed
	Dead                      // its process has ended
)

func (s State) String() string {
	return [...]string{"starting", "online", "listening", "draining", "disconnected", "dead"}[s]
}

// Worker is one worker as its master sees it. A worker that has died keeps its
// last answers.
type Worker struct {
	m                    *Master
	id, slot, generation int

	state     atomic.Int32
	voluntary atomic.Int32 // a voluntariness
	process   atomic.Pointer[os.Process]
	connected atomic.Bool
	link      atomic.Pointer[workerLink]
	exited    chan struct{}

	window         *window.Window // of messages from it that wait
	past           past
	stdout, stderr *process.Output // nil unless silent
}

func newWorker(m *Master, id, slot int, g *generation) *Worker {
	w := &Worker{
		m: m, id: id, slot: slot, generation: g.number,
		exited: make(chan struct{}), window: window.New(maxWaiting),
	}
	if g.cfg.Silent {
		w.stdout, w.stderr = process.NewOutput(), process.NewOutput()
	}
	return w
}

// runs takes over a process.
func (w *Worker) runs(p *workerProcess) {
	w.process.Store(p.os)
	w.link.Store(&p.link)
	w.connected.Store(true)
	if w.stdout != nil {
		w.stdout.Attach(p.output[0])
		w.stderr.Attach(p.output[1])
	}
}

// wait waits for the end of the process, and of what it has written.
func (w *Worker) wait(p *workerProcess) Exit {
	x := p.wait()
	if w.stdout != nil {
		linger := time.Now().Add(exitLinger)
		w.stdout.Finish(time.Until(linger))
		w.stderr.Finish(time.Until(linger))
	}
	return x
}

// closeOutput lets readers of the output see io.EOF, if the worker could not be started.
func (w *Worker) closeOutput() {
	if w.stdout != nil {
		w.stdout.CloseWrite()
		w.stderr.CloseWrite()
	}
}

const (
	unknown = iota
	voluntary
	involuntary
)

// ID returns the worker's id: 1, 2, 3 …, never used again.
func (w *Worker) ID() int { return w.id }

// Slot returns the worker's place in the rota, from 0; its successor gets the same.
func (w *Worker) Slot() int { return w.slot }

// Generation returns the number of the reload that started the worker.
func (w *Worker) Generation() int { return w.generation }

// Process returns the worker's process, or nil if it could not be started. The
// master waits for it: don't call its Wait or Release.
func (w *Worker) Process() *os.Process { return w.process.Load() }

// Stdout returns what the worker writes to its standard output, or nil if it is not
// Silent. Nothing has to be read: until Stdout is called, and when who reads stops for a
// second while more comes, only the newest 64 KB are kept and the worker goes on. The
// reader gives io.EOF when the worker has ended.
func (w *Worker) Stdout() io.Reader { return w.stdout.Reader() }

// Stderr is Stdout for standard error.
func (w *Worker) Stderr() io.Reader { return w.stderr.Reader() }

// Exited returns a channel that is closed when the worker has ended and the functions
// of Events have been told so. It doesn't wait for one that takes longer than 100 ms.
func (w *Worker) Exited() <-chan struct{} { return w.exited }

// IsConnected reports whether the link to the worker is open.
func (w *Worker) IsConnected() bool { return w.connected.Load() }

// IsDead reports whether the worker's process has ended.
func (w *Worker) IsDead() bool { return w.State() == Dead }

// State returns where the worker is in its life.
func (w *Worker) State() State { return State(w.state.Load()) }

// Voluntary reports whether the worker's end was asked for: true at once after
// Disconnect or Kill, or after the worker's own; false once it has gone any other
// way; not known until then.
func (w *Worker) Voluntary() (yes, known bool) {
	v := w.voluntary.Load()
	return v == voluntary, v != unknown
}

// Disconnect asks the worker to leave gracefully, and returns at once. Twice, or on
// a dead worker, it does nothing.
func (w *Worker) Disconnect() error {
	w.setVoluntary()
	w.m.post(func(l *loop) { l.disconnect(w.id) })
	return nil
}

// Kill sends the worker a signal, SIGTERM if sig is nil, and tells Run to start no
// other in its place until the next reload or Scale. On a dead worker it does
// nothing. The error is that of the signal.
func (w *Worker) Kill(sig os.Signal) error {
	w.setVoluntary()
	err := w.m.ask(func(l *loop) error { return l.kill(w.id, sig) })
	if err == ErrClosed {
		return nil // and dead
	}
	return err
}

// Subscribe has the functions of e called for this worker alone. What has happened to
// it before, except Fork, is repeated to them first, so that nothing is missed right
// after Fork; messages are kept until somebody subscribes to them. See Events. After
// cancel no function of e begins any more.
func (w *Worker) Subscribe(e Events) (cancel func()) { return w.m.events.subscribe(w, e) }

// setVoluntary is true at once, and has no effect on a worker that has gone.
func (w *Worker) setVoluntary() { w.voluntary.CompareAndSwap(unknown, voluntary) }
