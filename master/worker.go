package master

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/process"
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

	exited chan struct{}
	source *delivery.Source[Events]

	stdout, stderr *process.Output // nil unless silent

	mu       sync.Mutex
	snapshot snapshot
}

// snapshot is what a Worker answers. The loop replaces it as a whole; Disconnect and
// Kill set voluntary, at once.
type snapshot struct {
	state     State
	connected bool
	voluntary voluntariness
	process   *os.Process // nil: there is none
	link      workerLink  // nil: there is none
}

type voluntariness int

const (
	unknown voluntariness = iota
	voluntary
	involuntary
)

func newWorker(m *Master, id, slot int, g *generation) *Worker {
	w := &Worker{m: m, id: id, slot: slot, generation: g.number, exited: make(chan struct{})}
	w.source = newSource(w, id)
	if g.cfg.Silent {
		w.stdout, w.stderr = process.NewOutput(), process.NewOutput()
	}
	return w
}

// publish makes s what the worker answers. That the end is voluntary, or not, stays.
func (w *Worker) publish(s snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.voluntary = w.snapshot.voluntary
	w.snapshot = s
}

// decideVoluntary sets whether the end is voluntary, unless that is known already.
func (w *Worker) decideVoluntary(v voluntariness) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.snapshot.voluntary == unknown {
		w.snapshot.voluntary = v
	}
}

func (w *Worker) now() snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snapshot
}

// readOutput begins to read what the process of a silent worker writes.
func (w *Worker) readOutput(p *workerProcess) {
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

// ID returns the worker's id: 1, 2, 3 …, never used again.
func (w *Worker) ID() int { return w.id }

// Slot returns the worker's place in the rota, from 0; its successor gets the same.
func (w *Worker) Slot() int { return w.slot }

// Generation returns the number of the reload that started the worker.
func (w *Worker) Generation() int { return w.generation }

// Process returns the worker's process, or nil if it could not be started. The
// master waits for it: don't call its Wait or Release.
func (w *Worker) Process() *os.Process { return w.now().process }

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
func (w *Worker) IsConnected() bool { return w.now().connected }

// IsDead reports whether the worker's process has ended.
func (w *Worker) IsDead() bool { return w.State() == Dead }

// State returns where the worker is in its life.
func (w *Worker) State() State { return w.now().state }

// Voluntary reports whether the worker's end was asked for: true at once after
// Disconnect or Kill, or after the worker's own; false once it has gone any other
// way; not known until then.
func (w *Worker) Voluntary() (yes, known bool) {
	v := w.now().voluntary
	return v == voluntary, v != unknown
}

// Disconnect asks the worker to leave gracefully, and returns at once. Twice, or on
// a dead worker, it does nothing.
func (w *Worker) Disconnect() error {
	w.decideVoluntary(voluntary)
	w.m.post(func(l *loop) { l.disconnect(w.id) })
	return nil
}

// Kill sends the worker a signal, SIGTERM if sig is nil, and tells Run to start no
// other in its place until the next reload or Scale. On a dead worker it does
// nothing. The error is that of the signal.
func (w *Worker) Kill(sig os.Signal) error {
	w.decideVoluntary(voluntary)
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
func (w *Worker) Subscribe(e Events) (cancel func()) { return w.m.events.Subscribe(w.source, e) }
