package workerproc

import (
	"runtime/debug"
	"sync"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/window"
	"github.com/rota-go/rota/ipc"
)

// maxWaiting bounds, in bytes, what waits of the master's messages for OnMessage. It is
// large because a worker that doesn't read the link gets no orders either.
const maxWaiting = 16 << 20

// OnMessage adds a function for messages of the master; see package worker.
func (w *Worker) OnMessage(f func(ipc.Message)) { w.inbox.addFunc(f) }

// inbox holds the messages that have come for the program. The functions of OnMessage are
// called by the goroutine that reads the link, or by one that OnMessage starts.
type inbox struct {
	window  *window.Window
	failed  func(panicked any, stack []byte)
	emptied func()      // called when all that has come is handled
	settled func() bool // main won't call OnMessage any more, if it has not

	mu         sync.Mutex
	queue      []link.Packet
	spare      []link.Packet // an empty queue, to be used again
	funcs      []func(ipc.Message)
	delivering bool // a goroutine calls funcs
}

func newInbox(failed func(any, []byte), emptied func(), settled func() bool) *inbox {
	return &inbox{window: window.New(maxWaiting), failed: failed, emptied: emptied, settled: settled}
}

// put adds a message, which the inbox owns from here on. It blocks while more than
// maxWaiting bytes wait.
func (b *inbox) put(p link.Packet) {
	b.window.Acquire(message.Cost(p))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, p)
}

// addFunc adds f, and has it called for the messages that wait.
func (b *inbox) addFunc(f func(ipc.Message)) {
	b.mu.Lock()
	b.funcs = append(b.funcs[:len(b.funcs):len(b.funcs)], f)
	b.mu.Unlock()
	if b.claim() {
		go b.deliver()
	}
}

// claim reports whether messages wait, there is a function for them, and no goroutine
// delivers them yet. If so, the caller must call deliver.
func (b *inbox) claim() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.delivering || len(b.funcs) == 0 || len(b.queue) == 0 {
		return false
	}
	b.delivering = true
	return true
}

// deliver calls the functions until no message waits. The caller is the goroutine for
// which claim returned true.
func (b *inbox) deliver() { b.deliverFrom(nil, nil) }

// deliverFrom is deliver, beginning with the rest of a batch.
func (b *inbox) deliverFrom(batch []link.Packet, funcs []func(ipc.Message)) {
	finished := false
	defer func() {
		if !finished { // a function has called runtime.Goexit
			go b.deliverFrom(batch, funcs)
		}
	}()
	for {
		used := batch
		for len(batch) > 0 {
			p := batch[0]
			batch[0], batch = link.Packet{}, batch[1:]
			b.handle(p, funcs)
		}
		if batch, funcs = b.next(used); len(batch) == 0 {
			finished = true
			return
		}
	}
}

// next returns all messages that wait, and keeps the used batch as the next queue. If
// no message waits, it ends the delivery.
func (b *inbox) next(used []link.Packet) ([]link.Packet, []func(ipc.Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(used) > cap(b.spare) {
		b.spare = used[:0]
	}
	batch := b.queue
	if len(batch) == 0 {
		b.delivering = false
		b.emptied()
		return nil, nil
	}
	b.queue, b.spare = b.spare, nil
	return batch, b.funcs
}

// closeSource and busy make inbox a source of the drain: the drain waits for messages that
// have come. Where there is no function for them yet, main may still come to OnMessage.
func (b *inbox) closeSource() {}

func (b *inbox) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	waits := b.delivering || len(b.queue) > 0
	return waits && (len(b.funcs) > 0 || !b.settled())
}

// undelivered returns how many messages wait, and whether there is a function for them.
func (b *inbox) undelivered() (n int, asked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue), len(b.funcs) > 0
}

// handle calls all functions with one message. It owns p.
func (b *inbox) handle(p link.Packet, funcs []func(ipc.Message)) {
	defer b.window.Release(message.Cost(p))
	defer p.Close() // closes the handles that no function has used
	msg := message.Received(p)
	for _, f := range funcs {
		b.call(f, msg)
	}
}

// call calls one function. A panic is reported; the requests that the worker is serving
// continue.
func (b *inbox) call(f func(ipc.Message), msg ipc.Message) {
	defer func() {
		if p := recover(); p != nil {
			b.failed(p, debug.Stack())
		}
	}()
	f(msg)
}
