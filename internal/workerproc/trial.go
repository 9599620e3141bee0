package workerproc

import (
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// onTrial reports whether the worker leaves connections to its predecessor, or will when
// the program first accepts. In its trial a new worker of a reload leaves all connections of shared sockets to its
// predecessor. It begins once, when the program first accepts, and takes as long as the master has ordered. A listener that
// is opened afterwards accepts at once.
func (w *Worker) onTrial() bool {
	takes := w.times.Load().HoldOff
	return takes > 0 && !w.trial.IsOlder(takes)
}

// sendAccepting is tellAccepting at the first Accept or ReadFrom of a socket. If the worker is
// on trial and the socket is shared, it then waits for the end of the trial: the predecessor
// serves meanwhile, and a worker that dies soon has not accepted a connection.
func (w *Worker) sendAccepting(id int, own string, closed <-chan struct{}) {
	w.tellAccepting(id, own)
	takes := w.times.Load().HoldOff
	if id == 0 || takes <= 0 {
		return
	}
	timer := time.NewTimer(time.Until(w.trial.Record().Add(takes)))
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
	w.arrival.Record()
	_ = w.send(wire.Accepting, wire.AcceptingBody{ID: id, Own: own})
}

// arrivalPatience is how long after its arrival main may still call OnMessage: it may do so
// on another goroutine than Accept.
const arrivalPatience = time.Second

// isSettled reports whether main arrived so long ago that what it has not called by now it
// won't call.
func (w *Worker) isSettled() bool { return w.arrival.IsOlder(arrivalPatience) }
