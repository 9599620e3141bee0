package worker

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/window"
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
	if err := message.Send(w.link, v, handles); err != nil {
		return fmt.Errorf("send: worker %d: %w", w.id.ID, err)
	}
	return nil
}

// OnMessage has f called for every message of the master: one after the other, in
// order. It may call anything. Messages that came
// before the first OnMessage are kept for it. Where there are several, each f gets
// every message, and handles are shared between them. A panic of f is reported on
// standard error.
//
// A worker that leaves stays, within the grace, until f has handled the messages that
// came before. A function that serves for long belongs on a goroutine of its own. When
// about 16 megabytes wait, the master is not read until some are handled.
func (w *Worker) OnMessage(f func(ipc.Message)) { w.inbox.listen(f) }

// inbox is what came from the master for the program. The goroutine that reads the
// link calls the program's functions, or one that OnMessage starts.
type inbox struct {
	window *window.Window
	failed func(panicked any, stack []byte)
	rested func() // called when all that came is handled

	mu      sync.Mutex
	queue   []link.Packet
	free    []link.Packet // an empty queue, to be used again
	funcs   []func(ipc.Message)
	working bool // a goroutine calls funcs
}

func newInbox(failed func(any, []byte), rested func()) *inbox {
	return &inbox{window: window.New(maxWaiting), failed: failed, rested: rested}
}

// put takes a message. It blocks while too much waits.
func (b *inbox) put(p link.Packet) {
	b.window.Acquire(message.Cost(p))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, p)
}

// listen adds f, and has it hear what was kept.
func (b *inbox) listen(f func(ipc.Message)) {
	b.mu.Lock()
	b.funcs = append(b.funcs[:len(b.funcs):len(b.funcs)], f)
	b.mu.Unlock()
	if b.begin() {
		go b.work()
	}
}

// begin reports whether the caller is to work: somebody listens, something waits, and
// nobody is at it.
func (b *inbox) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.working || len(b.funcs) == 0 || len(b.queue) == 0 {
		return false
	}
	b.working = true
	return true
}

// work calls the functions until nothing waits. One goroutine at a time: who has set
// working.
func (b *inbox) work() { b.workOn(nil, nil) }

// workOn is work, after what is left of a queue.
func (b *inbox) workOn(rest []link.Packet, funcs []func(ipc.Message)) {
	idle := false
	defer func() {
		if !idle {
			go b.workOn(rest, funcs) // a function has ended this goroutine
		}
	}()
	for {
		done := rest
		for len(rest) > 0 {
			p := rest[0]
			rest[0], rest = link.Packet{}, rest[1:]
			b.handle(p, funcs)
		}
		if rest, funcs = b.take(done); len(rest) == 0 {
			idle = true
			return
		}
	}
}

// take takes the whole queue, and leaves the one that the caller is through with in
// its place. When there is none, nobody works any more.
func (b *inbox) take(done []link.Packet) ([]link.Packet, []func(ipc.Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(done) > cap(b.free) {
		b.free = done[:0]
	}
	queue := b.queue
	if len(queue) == 0 {
		b.working = false
		b.rested()
		return nil, nil
	}
	b.queue, b.free = b.free, nil
	return queue, b.funcs
}

// stop and busy are drain's source: messages that came are work in hand.
func (b *inbox) stop() {}

func (b *inbox) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.funcs) > 0 && (b.working || len(b.queue) > 0)
}

func (b *inbox) handle(p link.Packet, funcs []func(ipc.Message)) {
	defer b.window.Release(message.Cost(p))
	defer p.Close() // what nobody has taken
	msg := message.Received(p)
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
