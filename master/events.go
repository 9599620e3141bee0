package master

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/ipc"
)

// Events are functions that a master calls as its workers come and go. Any may be
// nil. They run one at a time, in order, on one goroutine of the master, and may call
// anything of it. One that takes its time delays the other functions, and no worker:
// except one that sends so many messages meanwhile that about a megabyte of them
// waits, which is then not read until some are handled. One that panics is logged.
//
// The order for a worker is Fork, Online, Listening (once a socket), Disconnect,
// Exit; Message comes anywhere between Online and Disconnect. Every worker ends with
// exactly one Exit, also when it could not be started.
type Events struct {
	Setup      func(Config)               // at Setup, or else at the first fork
	Fork       func(*Worker)              // it was started
	Online     func(*Worker)              // it runs and speaks
	Listening  func(*Worker, Address)     // it has got a socket
	Message    func(*Worker, ipc.Message) // it has sent a message
	Disconnect func(*Worker)              // its link is closed
	Exit       func(*Worker, Exit)
}

// events calls the functions of subscribers on a goroutine of its own, which the
// first subscriber starts and end stops. Its queue is bounded for messages, by the
// gate of each worker; what else there is to say of a worker is not much.
type events struct {
	log *slog.Logger

	mu      sync.Mutex
	subs    []*subscription
	queue   []event
	last    uint64           // the number of the latest event
	keeping map[*Worker]bool // those with messages in kept
	wake    chan struct{}    // capacity 1
	started bool
	ending  bool
	ended   chan struct{}
}

type subscription struct {
	Events
	worker    int    // 0: all
	since     uint64 // the latest event before it
	cancelled atomic.Bool
}

// event is one thing to say to subscribers: a call, or messages.
type event struct {
	number  uint64
	worker  *Worker // nil: of none
	call    func(*Events)
	packets []control.Packet
	size    int           // of packets, inside the worker's gate
	only    *subscription // whom it is repeated to
}

func newEvents(log *slog.Logger) *events {
	return &events{
		log: log, keeping: map[*Worker]bool{},
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// subscribe adds f for w, or for all if that is nil.
func (e *events) subscribe(w *Worker, f Events) (cancel func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &subscription{Events: f, since: e.last}
	if w != nil {
		s.worker = w.id
	}
	e.subs = append(slices.Clip(e.subs), s) // deliver may be walking the old one
	if !e.started && !e.ending {
		e.started = true
		go e.run()
	}
	e.repeat(w, s)
	return func() { e.unsubscribe(s) }
}

func (e *events) unsubscribe(s *subscription) {
	s.cancelled.Store(true)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs = slices.DeleteFunc(slices.Clone(e.subs), func(o *subscription) bool { return o == s })
}

// emit queues an event of w, and keeps it for those who subscribe to w later.
func (e *events) emit(w *Worker, call func(*Events)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ev := event{worker: w, call: call}
	w.remember(ev)
	e.push(ev)
}

// emitOnce queues an event that a later subscriber is not told of. w may be nil.
func (e *events) emitOnce(w *Worker, call func(*Events)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.push(event{worker: w, call: call})
}

// push numbers and queues an event. Without subscribers there is nobody to queue it
// for. e.mu is held.
func (e *events) push(ev event) {
	e.last++
	ev.number = e.last
	if len(e.subs) == 0 {
		return
	}
	e.queue = append(e.queue, ev)
	e.signal()
}

func (e *events) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// end has run return when all that was emitted has been delivered.
func (e *events) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ending = true
	if !e.started {
		close(e.ended)
	}
	e.signal()
}

func (e *events) run() {
	defer close(e.ended)
	var free []event
	for range e.wake {
		queue, subs, ending := e.take(free)
		for len(queue) > 0 {
			for i := range queue {
				e.deliver(&queue[i], subs)
				queue[i] = event{}
			}
			queue, subs, ending = e.take(queue)
		}
		if free = queue; ending {
			return
		}
	}
}

// take takes the whole queue, and leaves free in its place.
func (e *events) take(free []event) ([]event, []*subscription, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	queue := e.queue
	e.queue = free[:0]
	return queue, e.subs, e.ending
}

func (e *events) deliver(ev *event, subs []*subscription) {
	if ev.packets != nil {
		e.deliverMessages(ev, subs)
		return
	}
	for _, s := range subs {
		if s.wants(ev) {
			e.call(ev, s)
		}
	}
}

// wants: an event that is repeated is for one alone, and what came before a
// subscriber is not for it.
func (s *subscription) wants(ev *event) bool {
	switch {
	case s.cancelled.Load():
		return false
	case ev.only != nil:
		return ev.only == s
	}
	return ev.number > s.since && (s.worker == 0 || ev.worker != nil && ev.worker.id == s.worker)
}

func (e *events) call(ev *event, s *subscription) {
	defer e.recovered()
	ev.call(&s.Events)
}

// recovered is deferred around every function of the program's.
func (e *events) recovered() {
	if p := recover(); p != nil {
		e.log.Error("rota: an event function panicked", "panic", p, "stack", string(debug.Stack()))
	}
}
