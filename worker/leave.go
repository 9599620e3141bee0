package worker

import (
	"context"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// leave begins the worker's end, once, and returns at once.
func (w *Worker) leave() {
	w.leaveOnce.Do(func() { go w.drainAndLeave() })
}

// drainAndLeave is the order of Disconnect's comment. An orphan doesn't let main
// go on: read ends the process.
func (w *Worker) drainAndLeave() {
	defer close(w.left)
	w.inbox.window.Widen(-1) // the master's death must be seen
	times := w.times.Load()
	end := time.Now().Add(times.Grace)
	_ = w.link.Send(wire.Frame{Type: wire.Draining}) // fails where the master is gone
	w.drain.run(times.Grace, times.IdleGrace)
	w.unlink(max(time.Until(end), flushAtLeast))
	if !w.orphaned.Load() {
		close(w.drain.over)
	}
}

// unlink delivers what was sent, then tells the master that no more will come. The
// link is still read: a master that dies now would leave nobody to end a main
// that hangs.
func (w *Worker) unlink(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = w.link.CloseWrite(ctx) // a master that doesn't read can't be helped
	w.disconnect(nil)
}
