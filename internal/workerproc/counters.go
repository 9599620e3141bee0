package workerproc

import (
	"sync/atomic"

	"github.com/rota-go/rota/internal/link"

	"github.com/rota-go/rota/internal/wire"
)

// counters count connections and requests, for the master.
type counters struct{ accepted, taken, moved, cut, requests, errors atomic.Int64 }

// CountRequest counts an HTTP request that was answered, or was not: then it has failed.
func (w *Worker) CountRequest(failed bool) {
	n := &w.drain.counters
	if failed {
		n.errors.Add(1)
	}
	w.used(n.requests.Add(1))
}

// CountsRequests says that requests count, and not connections, for the master's MaxRequests.
func (w *Worker) CountsRequests() { w.countsRequests.Store(true) }

// accepted counts a connection that was accepted from the queue of a socket.
func (w *Worker) accepted() {
	if n := w.drain.counters.accepted.Add(1); !w.countsRequests.Load() {
		w.used(n)
	}
}

// used tells the master, once, when this worker has served as many requests as it may.
func (w *Worker) used(n int64) {
	if most := w.times.Load().MaxRequests; most > 0 && n >= most {
		w.worn.Do(func() { _ = w.send(wire.Worn, nil) }) // fails if the master is gone
	}
}

// count answers the master's call.
func (w *Worker) count(p link.Packet) error {
	p.Close()
	w.sendCounters(p.Call)
	return nil
}

// sendCounters tells the master what this worker has counted: the answer to a call, or with
// call 0 its last.
func (w *Worker) sendCounters(call uint32) {
	d, n := w.drain, &w.drain.counters
	_ = w.link.Send(wire.Frame{Type: wire.Counted, Call: call, Body: wire.Body(wire.CountedBody{ // fails if the master is gone
		Accepted: n.accepted.Load(), Taken: n.taken.Load(), Open: int64(len(d.openConns())),
		Moved: n.moved.Load(), Announced: d.limiter.Counted(), Cut: n.cut.Load(),
		Requests: n.requests.Load(), Errors: n.errors.Load(),
	})})
}
