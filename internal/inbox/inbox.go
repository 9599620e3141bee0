// Package inbox holds the messages that have come to a worker, and calls the program's
// functions with them: one at a time, in order, by the goroutine that reads the link, or by
// one that OnMessage starts.
package inbox

import (
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/window"
	"github.com/rota-go/rota/ipc"
)

// MaxWaiting bounds, in bytes, what waits of the master's messages for OnMessage. It is
// large because a worker that doesn't read the link gets no orders either.
const MaxWaiting = 16 << 20

// Inbox holds the messages that have come for the program. New makes one.
type Inbox struct {
	// Failed is told of a function that has panicked.
	Failed func(panicked any, stack []byte)
	// Emptied is called when all that has come is handled.
	Emptied func()
	// Missed is called when the first message is dropped.
	Missed func()
	// Settled reports whether main won't add a function any more, if it has not.
	Settled func() bool

	window *window.Window
	came   atomic.Int64 // messages, all of them
	taken  atomic.Int64 // those that the functions were called with
	missed sync.Once    // the first that was dropped

	mu         sync.Mutex
	queue      []link.Packet
	spare      []link.Packet // an empty queue, to be used again
	funcs      []func(ipc.Message)
	delivering bool // a goroutine calls funcs
}

// New returns an empty inbox. The fields are set before its first use.
func New() *Inbox { return &Inbox{window: window.New(MaxWaiting)} }

// Widen admits any number of bytes from now on.
func (b *Inbox) Widen() { b.window.Widen(-1) }

// Taken returns how many messages the functions have been called with.
func (b *Inbox) Taken() int { return int(b.taken.Load()) }

// Put adds a message, which the inbox owns from here on. It blocks while more than
// MaxWaiting bytes wait.
func (b *Inbox) Put(p link.Packet) {
	b.window.Acquire(message.Cost(p))
	b.came.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, p)
}

// Offer is Put for a message of another worker: it is dropped, and counts as not taken, while more than
// MaxWaiting bytes wait. It doesn't block: a worker could otherwise keep the master's orders from
// all others by broadcasts that they don't take.
func (b *Inbox) Offer(p link.Packet) {
	if b.window.Used() <= MaxWaiting {
		b.Put(p)
		return
	}
	b.came.Add(1)
	p.Close()
	b.missed.Do(b.Missed)
}

// AddFunc adds f, and has it called for the messages that wait.
func (b *Inbox) AddFunc(f func(ipc.Message)) {
	b.mu.Lock()
	b.funcs = append(b.funcs[:len(b.funcs):len(b.funcs)], f)
	b.mu.Unlock()
	if b.Claim() {
		go b.Deliver()
	}
}

// Claim reports whether messages wait, there is a function for them, and no goroutine
// delivers them yet. If so, the caller must call Deliver.
func (b *Inbox) Claim() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.delivering || len(b.funcs) == 0 || len(b.queue) == 0 {
		return false
	}
	b.delivering = true
	return true
}

// Deliver calls the functions until no message waits. The caller is the goroutine for
// which Claim returned true.
func (b *Inbox) Deliver() { b.deliverFrom(nil, nil) }

// deliverFrom is Deliver, beginning with the rest of a batch.
func (b *Inbox) deliverFrom(batch []link.Packet, funcs []func(ipc.Message)) {
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
func (b *Inbox) next(used []link.Packet) ([]link.Packet, []func(ipc.Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(used) > cap(b.spare) {
		b.spare = used[:0]
	}
	batch := b.queue
	if len(batch) == 0 {
		b.delivering = false
		b.Emptied()
		return nil, nil
	}
	b.queue, b.spare = b.spare, nil
	return batch, b.funcs
}

// Busy reports whether messages wait that may still be taken. Where there is no function for
// them yet, main may still add one.
func (b *Inbox) Busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	waits := b.delivering || len(b.queue) > 0
	return waits && (len(b.funcs) > 0 || !b.Settled())
}

// Undelivered returns how many messages have come that no function was called with, and
// whether there is a function.
func (b *Inbox) Undelivered() (n int, asked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(b.came.Load() - b.taken.Load()), len(b.funcs) > 0
}

// handle calls all functions with one message. It owns p.
func (b *Inbox) handle(p link.Packet, funcs []func(ipc.Message)) {
	defer b.window.Release(message.Cost(p))
	defer p.Close() // closes the handles that no function has used
	b.taken.Add(1)
	msg := message.Received(p)
	for _, f := range funcs {
		b.call(f, msg)
	}
}

// call calls one function. A panic is reported; the requests that the worker is serving
// continue.
func (b *Inbox) call(f func(ipc.Message), msg ipc.Message) {
	defer func() {
		if p := recover(); p != nil {
			b.Failed(p, debug.Stack())
		}
	}()
	f(msg)
}
