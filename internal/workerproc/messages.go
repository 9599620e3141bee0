package workerproc

import (
	"fmt"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/inbox"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// Send sends a message to the master.
func (w *Worker) Send(v any, handles ...ipc.Handle) error {
	return w.sendMessage("send", wire.Message, v, handles)
}

// Broadcast sends a message to the other workers of the master, through it.
func (w *Worker) Broadcast(v any) error { return w.sendMessage("broadcast", wire.Broadcast, v, nil) }

func (w *Worker) sendMessage(op string, t wire.Type, v any, handles []ipc.Handle) error {
	if !w.IsConnected() {
		return w.disconnected(op)
	}
	if err := message.Send(w.link, t, v, handles); err != nil {
		return fmt.Errorf("%s: worker %d: %w", op, w.id.ID, err)
	}
	return nil
}

// OnMessage adds a function for messages; see package worker.
func (w *Worker) OnMessage(f func(ipc.Message)) { w.inbox.AddFunc(f) }

func (w *Worker) newInbox() *inbox.Inbox {
	b := inbox.New()
	b.Failed = func(p any, stack []byte) { w.report("an OnMessage function panicked: %v\n%s", p, stack) }
	b.Emptied = func() { w.drain.notify(); w.tellTakenSoon() }
	b.Missed = func() { w.report("WARN misses broadcasts: its OnMessage functions don't take them fast enough") }
	b.Settled = w.isSettled
	return b
}

// inboxSource makes the inbox a source of the drain, which waits for messages that have come.
type inboxSource struct{ *inbox.Inbox }

func (inboxSource) closeSource() {}
func (s inboxSource) busy() bool { return s.Busy() }

// reportsWithin is how long after the program has taken a message the master learns of it.
const reportsWithin = 100 * time.Millisecond

// notified is what the master knows of the messages that the program has taken: it can tell how
// many were not, when the worker has ended.
type notified struct {
	mu    sync.Mutex
	taken int
	timer *time.Timer // tells the master; nil: it knows
}

// tellTakenSoon has the master told within reportsWithin.
func (w *Worker) tellTakenSoon() {
	w.notified.mu.Lock()
	defer w.notified.mu.Unlock()
	if w.notified.timer == nil {
		w.notified.timer = time.AfterFunc(reportsWithin, w.tellTaken)
	}
}

// tellTaken tells the master how many messages the program has taken, if that is news.
func (w *Worker) tellTaken() {
	w.notified.mu.Lock()
	defer w.notified.mu.Unlock()
	if w.notified.timer != nil {
		w.notified.timer.Stop()
		w.notified.timer = nil
	}
	if n := w.inbox.Taken(); n != w.notified.taken {
		w.notified.taken = n
		_ = w.send(wire.Taken, wire.TakenBody{Messages: n}) // fails if the master is gone
	}
}
