package workerproc

import (
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// count answers the master's call.
func (w *Worker) count(p link.Packet) error {
	p.Close()
	w.sendCounters(p.Call)
	return nil
}

// sendCounters tells the master what this worker has counted: the answer to a call, or with
// call 0 its last.
func (w *Worker) sendCounters(call uint32) {
	body := w.Counters.Body(w.drain.open()+w.drain.resting.Len(), w.drain.limiter.Counted())
	_ = w.link.Send(wire.Frame{Type: wire.Counted, Call: call, Body: wire.Body(body)}) // fails if the master is gone
}
