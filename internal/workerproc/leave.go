package workerproc

import (
	"context"
	"fmt"
	"time"

	"github.com/rota-go/rota/internal/conn"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// startDrain begins the drain, once, and returns at once.
func (w *Worker) startDrain() {
	w.drainOnce.Do(func() { go w.drainAndLeave() })
}

// drainAndLeave follows the order that worker.Disconnect documents. If the master is gone,
// main doesn't continue: readLink ends the process.
func (w *Worker) drainAndLeave() {
	defer close(w.drained)
	w.inbox.Widen() // the link must be read, to see the death of the master
	times, movedBefore := w.times.Load(), w.Moved.Load()
	cut, left := w.drain.run(times.Grace, times.IdleGrace, func() {
		_ = w.link.Send(wire.Frame{Type: wire.Draining}) // fails if the master is gone
	})
	w.reportCut(cut, w.drain.grace.Took())
	w.last.CallAll(max(left, flushAtLeast), w.report)
	w.reportUndelivered()
	w.tellTaken()
	w.sendCounters(0)
	w.closeLink(max(left, flushAtLeast))
	if w.Moved.Load() > movedBefore {
		time.Sleep(min(lingers, left))
	}
	if !w.orphaned.Load() {
		close(w.drain.left)
	}
}

// reportUndelivered says how many messages of the master the worker takes with it.
func (w *Worker) reportUndelivered() {
	n, asked := w.inbox.Undelivered()
	switch {
	case n > 0 && asked:
		w.report("WARN leaves with %s that OnMessage has not taken within the grace", count(n, "message"))
	case n > 0:
		w.report("WARN leaves with %s: the program has not called OnMessage", count(n, "message"))
	}
}

// closeLink delivers what was sent and half-closes the link. The link is still read: if the
// master dies now, the library must end the process, whose main may hang.
func (w *Worker) closeLink(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = w.link.CloseWrite(ctx) // fails if the master doesn't read
	w.markDisconnected(nil)
}

// reportCut says which connections the end of the grace has closed, and what helps.
func (w *Worker) reportCut(c conn.Kinds, grace time.Duration) {
	if len(c) == 0 {
		return
	}
	n := c.Len()
	w.Cut.Store(int64(n))
	w.report("WARN %s cut at the end of the grace of %v: %v; rotahttp drains TLS and HTTP/2, "+
		"worker.OnDisconnect can end others, and master.Config.Grace, or StopGrace, gives them more time", count(n, "connection"), grace, c)
}

// disconnect begins the drain, with what the master says of its grace. It may say that of a
// drain under way, too.
func (w *Worker) disconnect(p link.Packet) error {
	if len(p.Body) > 0 {
		var body wire.DisconnectBody
		if err := p.Decode(&body); err != nil {
			return err
		}
		w.drain.grace.Set(body.Grace)
	}
	w.startDrain()
	p.Close() // it carries no descriptors
	return nil
}

// count returns n and what is counted.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}
