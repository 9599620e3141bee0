package master

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
)

// Events are functions that a master calls as its workers come and go. Any may be
// nil. They run one at a time, in order, on one goroutine of the master, and may call
// anything of it; one that takes its time delays the other functions, never the
// workers. One that panics is logged.
//
// The order for a worker is Fork, Online, Listening (once a socket), Message,
// Disconnect, Exit. Every worker ends with exactly one Exit, also when it could not
// be started.
type Events struct {
	Setup      func(Config)
	Fork       func(*Worker)
	Online     func(*Worker)          // it runs and speaks
	Listening  func(*Worker, Address) // it has got a socket
	Disconnect func(*Worker)          // its link is closed
	Exit       func(*Worker, Exit)
}

// events calls the functions of subscribers on a goroutine of its own, which the
// first subscriber starts and end stops. Its queue is not bounded: events are few.
type events struct {
	log *slog.Logger

	mu      sync.Mutex
	subs    []*subscription
	queue   []func(*subscription)
	wake    chan struct{} // capacity 1
	started bool
	ending  bool
	ended   chan struct{}
}

type subscription struct {
	worker int // 0: all
	Events
}

func newEvents(log *slog.Logger) *events {
	return &events{log: log, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (e *events) subscribe(worker int, f Events) (cancel func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &subscription{worker, f}
	e.subs = append(slices.Clip(e.subs), s) // call may be walking the old one
	if !e.started && !e.ending {
		e.started = true
		go e.run()
	}
	return func() { e.unsubscribe(s) }
}

func (e *events) unsubscribe(s *subscription) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs = slices.DeleteFunc(slices.Clone(e.subs), func(o *subscription) bool { return o == s })
}

// emit queues an event of worker (0: of none). Without subscribers there is
// nobody to queue it for.
func (e *events) emit(worker int, call func(*subscription)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.subs) == 0 {
		return
	}
	e.queue = append(e.queue, func(s *subscription) {
		if s.worker == 0 || s.worker == worker {
			call(s)
		}
	})
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
	for range e.wake {
		queue, subs, ending := e.take()
		for len(queue) > 0 {
			for _, call := range queue {
				for _, s := range subs {
					e.call(call, s)
				}
			}
			queue, subs, ending = e.take()
		}
		if ending {
			return
		}
	}
}

func (e *events) take() ([]func(*subscription), []*subscription, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	queue := e.queue
	e.queue = nil
	return queue, e.subs, e.ending
}

func (e *events) call(f func(*subscription), s *subscription) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("rota: an event function panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f(s)
}
