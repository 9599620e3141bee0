package master

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/ipc"
)

// Events are functions that a master calls as its workers come and go. Any may be
// nil. They run one at a time, in order, and may call anything of the master. One that
// takes its time delays the other functions, and no worker: except one that sends so
// many messages meanwhile that about a megabyte of them waits, which is then not read
// until some are handled. One that panics is logged.
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

// events calls the functions of subscribers, by whichever goroutine finds the queue
// idle: the one that reads a worker's link, for its messages, or one that is started
// for what the loop has to say. The queue is bounded for messages, by the gate of each
// worker; what else there is to say of a worker is not much.
type events struct {
	log *slog.Logger

	mu      sync.Mutex
	subs    []*subscription
	queue   []event
	free    []event          // an empty queue, to be used again
	last    uint64           // the number of the latest event
	busy    bool             // a goroutine calls what is in the queue
	keeping map[*Worker]bool // those with messages in their past
	ending  bool             // the master is closed

	calls atomic.Uint64 // of functions, and of what else is in the queue
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
	packets []link.Packet
	size    int           // of packets, inside the worker's gate
	only    *subscription // whom it is repeated to
	heard   chan struct{} // nothing but a mark: closed when it is reached
}

func newEvents(log *slog.Logger) *events {
	return &events{log: log, keeping: map[*Worker]bool{}}
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
	e.repeat(w, s)
	e.start()
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
	e.start()
}

// emitOnce queues an event that a later subscriber is not told of. w may be nil.
func (e *events) emitOnce(w *Worker, call func(*Events)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.push(event{worker: w, call: call})
	e.start()
}

// push numbers and queues an event. Without subscribers there is nobody to queue it
// for. e.mu is held.
func (e *events) push(ev event) {
	e.last++
	ev.number = e.last
	if len(e.subs) > 0 {
		e.queue = append(e.queue, ev)
	}
}

// start has a goroutine of its own call what is queued, if none is at it. e.mu is held.
func (e *events) start() {
	if !e.busy && len(e.queue) > 0 {
		e.busy = true
		go e.work()
	}
}

func (e *events) startNow() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.start()
}

// begin reports whether the caller is to work.
func (e *events) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy || len(e.queue) == 0 {
		return false
	}
	e.busy = true
	return true
}

// work calls what is queued until nothing is. One goroutine at a time: who has set
// busy.
func (e *events) work() { e.workOn(nil, nil) }

// workOn is work, after what is left of a queue.
func (e *events) workOn(rest []event, subs []*subscription) {
	idle := false
	defer func() {
		if !idle {
			go e.workOn(after(rest), subs) // a function has ended this goroutine
		}
	}()
	for {
		done := rest
		for ; len(rest) > 0; rest = rest[1:] {
			e.deliver(&rest[0], subs)
			rest[0] = event{}
		}
		if rest, subs = e.take(done); len(rest) == 0 {
			idle = true
			return
		}
	}
}

// after is what is left of a queue whose first event has not come to its end: of
// messages the others, of anything else nothing.
func after(rest []event) []event {
	if len(rest) > 0 && rest[0].packets == nil {
		return rest[1:]
	}
	return rest
}

// take takes the whole queue, and leaves the one that the caller is through with in
// its place. When there is none, nobody is busy any more.
func (e *events) take(done []event) ([]event, []*subscription) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cap(done) > cap(e.free) {
		e.free = done[:0]
	}
	queue := e.queue
	if len(queue) == 0 {
		e.busy = false
		return nil, nil
	}
	e.queue, e.free = e.free, nil
	return queue, e.subs
}

// end says that the master is closed. What was emitted is still delivered.
func (e *events) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ending = true
}

func (e *events) deliver(ev *event, subs []*subscription) {
	e.calls.Add(1)
	switch {
	case ev.heard != nil:
		close(ev.heard)
		return
	case ev.packets != nil:
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
