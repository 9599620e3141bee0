package workerproc

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// trial is the time in which a new worker of a reload leaves all connections of shared
// sockets to its predecessor. It begins once, when the program first accepts, and takes as
// long as the master has ordered. A listener that is opened afterwards accepts at once.
type trial struct {
	mu  sync.Mutex
	end time.Time // zero before the first Accept
}

// begin begins the trial, if it has not begun, and returns what is left of it.
func (t *trial) begin(takes time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end.IsZero() {
		t.end = time.Now().Add(takes)
	}
	return time.Until(t.end)
}

// over reports whether the trial has begun and ended.
func (t *trial) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.end.IsZero() && time.Until(t.end) <= 0
}

// onTrial reports whether the worker leaves connections to its predecessor, or will when
// the program first accepts.
func (w *Worker) onTrial() bool { return w.times.Load().HoldOff > 0 && !w.trial.over() }

// sendAccepting is tellAccepting at the first Accept or ReadFrom of a socket. If the worker is
// on trial and the socket is shared, it then waits for the end of the trial: the predecessor
// serves meanwhile, and a worker that dies soon has not accepted a connection.
func (w *Worker) sendAccepting(id int, own string, closed <-chan struct{}) {
	w.tellAccepting(id, own)
	takes := w.times.Load().HoldOff
	if id == 0 || takes <= 0 {
		return
	}
	timer := time.NewTimer(w.trial.begin(takes))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closed:
	case <-w.drain.emptying:
	case <-w.drain.started:
	}
}

// tellAccepting tells the master that the program accepts or reads from a socket.
func (w *Worker) tellAccepting(id int, own string) {
	w.arrival.record()
	_ = w.send(wire.Accepting, wire.AcceptingBody{ID: id, Own: own})
}

// arrivalPatience is how long after its arrival main may still call OnMessage: it may do so
// on another goroutine than Accept.
const arrivalPatience = time.Second

// arrival is when main has come to what it does: its first Accept, ReadFrom or Ready.
type arrival struct {
	once sync.Once
	at   atomic.Pointer[time.Time] // nil: not yet
}

// record records the arrival, the first time.
func (a *arrival) record() {
	a.once.Do(func() {
		now := time.Now()
		a.at.Store(&now)
	})
}

// settled reports whether main arrived so long ago that what it has not called by now it
// won't call.
func (a *arrival) settled() bool {
	at := a.at.Load()
	return at != nil && time.Since(*at) >= arrivalPatience
}
