package workerproc

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/conn"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// HandOver gives c to the worker that takes the connections of this one; see package worker.
func (w *Worker) HandOver(c net.Conn, state any) error {
	body, err := message.Marshal(state)
	if err == nil && len(body) > wire.MaxBody {
		err = fmt.Errorf("%w: a state of %d bytes, at most %d", wire.ErrTooLarge, len(body), wire.MaxBody)
	}
	if err == nil {
		err = conn.HandOver(c, body)
	}
	if errors.Is(err, conn.ErrKind) {
		err = fmt.Errorf("%w: %w", ipc.ErrHandle, err)
	}
	if err != nil {
		return fmt.Errorf("hand over: worker %d: %w", w.id.ID, err)
	}
	return nil
}

// CanHandOver returns a channel that is closed when the worker leaves and another one takes its
// connections.
func (w *Worker) CanHandOver() <-chan struct{} { return w.drain.canHandOver }

// OnHandOver has f called for the connections that other workers hand over; see package worker.
func (w *Worker) OnHandOver(f func(net.Conn, ipc.Message)) {
	for _, h := range w.handed.setFunc(f) {
		go w.handed.call(f, h)
	}
}

// handed are connections that the programs of other workers have handed over. They are part of
// the drain.
type handed struct {
	worker *Worker

	mu   sync.Mutex
	f    func(net.Conn, ipc.Message) // of OnHandOver; nil: not yet
	kept handover.Kept               // for f
}

// setFunc has later connections go to f, and returns those that wait.
func (h *handed) setFunc(f func(net.Conn, ipc.Message)) []handover.Handed {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f = f
	return h.kept.Take()
}

// accepts reports whether one more connection is taken.
func (h *handed) accepts(state []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.f != nil || !h.worker.isSettled() && h.kept.Fits(state)
}

// put gives a connection to the program, or keeps it until the program asks for it.
func (h *handed) put(c handover.Handed) {
	if h.giveOrKeep(c) {
		go h.await()
	}
}

// giveOrKeep is put without watching what waits. It reports whether c is the first that does.
func (h *handed) giveOrKeep(c handover.Handed) (waits bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.f == nil {
		return h.kept.Add(c)
	}
	go h.call(h.f, c)
	return false
}

// call calls f, which owns the connection. A panic is reported, and closes the connection.
func (h *handed) call(f func(net.Conn, ipc.Message), c handover.Handed) {
	defer func() {
		if p := recover(); p != nil {
			_ = c.Conn.Close() // the program may have
			h.worker.report("an OnHandOver function panicked: %v\n%s", p, debug.Stack())
		}
	}()
	f(c.Conn, ipc.Message{Data: c.State})
}

// await watches the connections that wait until the program asks for them. A worker that leaves
// passes them on. If main won't ask any more, or the worker has left, they are closed.
func (h *handed) await() {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for !h.worker.isSettled() && h.passOn() {
		select {
		case <-tick.C:
		case <-h.worker.drained:
			h.drop()
		}
	}
	h.passOn()
	h.drop()
}

// passOn hands what waits over to another worker, if this one leaves, and reports whether some
// are left.
func (h *handed) passOn() (left bool) {
	h.mu.Lock()
	all := h.kept.Take()
	h.mu.Unlock()
	for _, c := range all {
		if conn.HandOver(c.Conn, c.State) != nil {
			h.giveOrKeep(c)
			left = true
		}
	}
	return left
}

// drop closes what waits.
func (h *handed) drop() {
	h.mu.Lock()
	rest := h.kept.Take()
	h.mu.Unlock()
	for _, c := range rest {
		_ = c.Conn.Close() // nothing was written to it
	}
	if len(rest) > 0 {
		h.worker.report("WARN %s of another worker closed: the program has not called OnHandOver", count(len(rest), "connection"))
	}
}

// Handed returns the listener whose socket has this cookie.
func (d movedTo) Handed(cookie uint64, state []byte) handover.Socket {
	if l := d.listener(cookie); l != nil && d.handed.accepts(state) {
		return handedSocket{l, state}
	}
	return nil
}

// handedSocket is a listener that gets a connection with a state.
type handedSocket struct {
	*listener
	state []byte
}

// Put gives c to the program.
func (s handedSocket) Put(c net.Conn) {
	result, tracked := conn.NewHanded(c, s.conns)
	s.worker.drain.addConn(tracked)
	s.worker.handed.put(handover.Handed{Conn: result, State: s.state})
}
