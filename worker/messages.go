package worker

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/gate"
	"github.com/rota-go/rota/ipc"
)

// ErrQueueFull is in the error of Send where the master doesn't read fast enough.
// errors.Is finds it.
var ErrQueueFull = ipc.ErrQueueFull

// maxWaiting bounds what of the master's messages waits for OnMessage, in bytes. It is
// generous, because a worker that doesn't read hears no order either.
const maxWaiting = 16 << 20

// Send sends v to the master as JSON, and handles with it, and returns at once: the
// master gets it at Events.Message, after all that was sent before. What was sent
// before the worker disconnects is delivered, also where it does so at once; a process
// that exits without it may take the last messages with it. It fails, and nothing was
// sent, with ErrDisconnected where there is no link, with ErrQueueFull where the
// master doesn't read fast enough, with ipc.ErrTooLarge, with ipc.ErrHandle, and where
// v can't be JSON.
func (w *Worker) Send(v any, handles ...ipc.Handle) error {
	if !w.IsConnected() {
		return w.disconnected("send")
	}
	if err := ipc.Send(w.link, v, handles); err != nil {
		return fmt.Errorf("send: worker %d: %w", w.id.ID, err)
	}
	return nil
}

// OnMessage has f called for every message of the master: one after the other, in
// order, on a goroutine of their own, which may call anything. Messages that came
// before the first OnMessage are kept for it. Where there are several, each f gets
// every message, and handles are shared between them. A panic of f is reported on
// standard error.
//
// A worker that leaves stays, within the grace, until f has handled the messages that
// came before. A function that serves for long belongs on a goroutine of its own. When
// about 16 megabytes wait, the master is not read until some are handled.
func (w *Worker) OnMessage(f func(ipc.Message)) { w.inbox.listen(f) }

// inbox is what came from the master for the program.
type inbox struct {
	gate   *gate.Gate
	failed func(panicked any, stack []byte)
	rested func() // called when all that came is handled

	mu      sync.Mutex
	changed sync.Cond
	queue   []control.Packet
	funcs   []func(ipc.Message)
	working bool // funcs have some of queue in hand
	closed  bool // no more comes
}

func newInbox(failed func(any, []byte), rested func()) *inbox {
	b := &inbox{gate: gate.New(maxWaiting), failed: failed, rested: rested}
	b.changed.L = &b.mu
	return b
}

// put takes a message. It blocks while too much waits.
func (b *inbox) put(p control.Packet) {
	b.gate.Enter(ipc.Cost(p))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, p)
	b.changed.Signal()
}

// listen adds f. The first one starts the goroutine.
func (b *inbox) listen(f func(ipc.Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.funcs = append(b.funcs[:len(b.funcs):len(b.funcs)], f)
	if len(b.funcs) == 1 {
		go b.run()
	}
}

// close has run return when all that came is handled.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.changed.Signal()
}

// stop and busy are drain's source: messages that came are work in hand.
func (b *inbox) stop() {}

func (b *inbox) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.funcs) > 0 && (b.working || len(b.queue) > 0)
}

func (b *inbox) run() {
	var free []control.Packet
	for {
		queue, funcs := b.take(free)
		if len(queue) == 0 {
			return
		}
		for i, p := range queue {
			b.handle(p, funcs)
			queue[i] = control.Packet{}
		}
		free = queue
	}
}

// take waits for messages, and returns none when no more come.
func (b *inbox) take(free []control.Packet) ([]control.Packet, []func(ipc.Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.working && len(b.queue) == 0 {
		b.working = false
		b.rested()
	}
	for len(b.queue) == 0 && !b.closed {
		b.changed.Wait()
	}
	b.working = len(b.queue) > 0
	queue := b.queue
	b.queue = free[:0]
	return queue, b.funcs
}

func (b *inbox) handle(p control.Packet, funcs []func(ipc.Message)) {
	defer b.gate.Leave(ipc.Cost(p))
	defer p.Close() // what nobody has taken
	msg := ipc.Received(p)
	for _, f := range funcs {
		b.call(f, msg)
	}
}

// call keeps a panic to the message that caused it: the requests that the worker
// has in hand are not this function's to cut.
func (b *inbox) call(f func(ipc.Message), msg ipc.Message) {
	defer func() {
		if p := recover(); p != nil {
			b.failed(p, debug.Stack())
		}
	}()
	f(msg)
}
