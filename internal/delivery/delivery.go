// Package delivery calls the functions of subscribers: one at a time, in order, by
// whichever goroutine finds the queue idle. That is the goroutine that reads a source's
// link, for its messages, or one that is started for other events. Functions may call
// anything and take their time.
//
// A [Source] is what events are about: a worker. Its earlier events are repeated to
// later subscribers. Messages without a subscriber are kept for the first one, up to a
// bound. The queue is bounded for messages, by the window
// of each source; other events of a source are few.
package delivery

import (
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/link"
)

const (
	// CallTimeout is how long one function may take before Await gives up.
	CallTimeout = 100 * time.Millisecond
	// QueueTimeout is how long all that was queued may take before Await gives up.
	QueueTimeout = time.Second
)

// Config says what a Queue must know about F, a struct of functions.
type Config[F any] struct {
	// WantsMessages reports whether f has a function for messages.
	WantsMessages func(f *F) bool
	// Panicked is told of a function that has panicked.
	Panicked func(value any, stack []byte)
	// Dropped is told, once a source, of messages that were too many to keep.
	Dropped func(source int)
}

// Queue delivers events to subscribers. All methods may be called from any goroutine.
type Queue[F any] struct {
	cfg Config[F]

	mu            sync.Mutex
	subscriptions []*subscription[F] // replaced, never changed
	queue         []event[F]
	spare         []event[F] // an empty queue, to be used again
	last          uint64     // the number of the latest event
	delivering    bool       // a goroutine calls what is queued
	keeping       map[*Source[F]]bool
	closed        bool

	calls atomic.Uint64 // functions called so far, and marks reached
}

type subscription[F any] struct {
	functions F
	source    *Source[F] // nil: all
	after     uint64     // the latest event before it
	cancelled atomic.Bool
}

// event is one thing to deliver: a call, messages, or a mark.
type event[F any] struct {
	number  uint64
	source  *Source[F] // nil: none
	call    func(*F)
	packets []link.Packet
	size    int              // of packets, in the source's window
	only    *subscription[F] // the subscriber that a repeated event is for; nil: all
	reached chan struct{}    // of a mark: closed when its turn comes
}

// New returns an empty queue.
func New[F any](cfg Config[F]) *Queue[F] {
	return &Queue[F]{cfg: cfg, keeping: map[*Source[F]]bool{}}
}

// Subscribe has functions called for s, or for all sources if s is nil. What has
// happened to s so far is repeated; messages that were kept are delivered. After cancel
// no function begins any more.
func (q *Queue[F]) Subscribe(s *Source[F], functions F) (cancel func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	sub := &subscription[F]{functions: functions, source: s, after: q.last}
	q.subscriptions = append(slices.Clip(q.subscriptions), sub)
	q.repeat(s, sub)
	q.start()
	return func() { q.unsubscribe(sub) }
}

func (q *Queue[F]) unsubscribe(sub *subscription[F]) {
	sub.cancelled.Store(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.subscriptions = slices.DeleteFunc(slices.Clone(q.subscriptions), func(o *subscription[F]) bool { return o == sub })
}

// Emit queues an event of s, and records it for later subscribers of s.
func (q *Queue[F]) Emit(s *Source[F], call func(*F)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ev := event[F]{source: s, call: call}
	s.record(ev)
	q.push(ev)
	q.start()
}

// EmitOnce queues an event that is not repeated to later subscribers. s may be nil.
func (q *Queue[F]) EmitOnce(s *Source[F], call func(*F)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.push(event[F]{source: s, call: call})
	q.start()
}

// EmitMessages queues messages of s and starts nothing: the caller calls Start, or Claim
// and Deliver. It owns packets from here on. size is what they hold of the source's
// window; it is released when they are handled. Messages without a subscriber are kept
// for the first one.
func (q *Queue[F]) EmitMessages(s *Source[F], packets []link.Packet, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, sub := range q.subscriptions {
		if q.cfg.WantsMessages(&sub.functions) && (sub.source == nil || sub.source == s) {
			q.push(event[F]{source: s, packets: packets, size: size})
			return
		}
	}
	s.Window.Release(size)
	q.keep(s, packets)
}

// push numbers and queues an event. Without subscribers nothing is queued. q.mu is held.
func (q *Queue[F]) push(ev event[F]) {
	q.last++
	ev.number = q.last
	if len(q.subscriptions) > 0 {
		q.queue = append(q.queue, ev)
	}
}

// Start has a goroutine deliver what is queued, unless one does already.
func (q *Queue[F]) Start() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.start()
}

// start is Start. q.mu is held.
func (q *Queue[F]) start() {
	if !q.delivering && len(q.queue) > 0 {
		q.delivering = true
		go q.Deliver()
	}
}

// Claim reports whether something is queued and no goroutine delivers it yet. If so, the
// caller must call Deliver.
func (q *Queue[F]) Claim() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.delivering || len(q.queue) == 0 {
		return false
	}
	q.delivering = true
	return true
}

// Deliver calls what is queued until nothing is left. Only the goroutine that Claim has
// told to calls it.
func (q *Queue[F]) Deliver() { q.deliverFrom(nil, nil) }

// deliverFrom is Deliver, beginning with the rest of a batch.
func (q *Queue[F]) deliverFrom(batch []event[F], subs []*subscription[F]) {
	finished := false
	defer func() {
		if !finished { // a function has called runtime.Goexit
			go q.deliverFrom(withoutFirst(batch), subs)
		}
	}()
	for {
		used := batch
		for ; len(batch) > 0; batch = batch[1:] {
			q.deliver(&batch[0], subs)
			batch[0] = event[F]{}
		}
		if batch, subs = q.next(used); len(batch) == 0 {
			finished = true
			return
		}
	}
}

// withoutFirst returns the rest of a batch whose first event was interrupted. The
// remaining messages of an event are part of the rest.
func withoutFirst[F any](batch []event[F]) []event[F] {
	if len(batch) > 0 && batch[0].packets == nil {
		return batch[1:]
	}
	return batch
}

// next returns all that is queued, and keeps the used batch as the next queue. If
// nothing is queued, nobody delivers any more.
func (q *Queue[F]) next(used []event[F]) ([]event[F], []*subscription[F]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(used) > cap(q.spare) {
		q.spare = used[:0]
	}
	batch := q.queue
	if len(batch) == 0 {
		q.delivering = false
		return nil, nil
	}
	q.queue, q.spare = q.spare, nil
	return batch, q.subscriptions
}

func (q *Queue[F]) deliver(ev *event[F], subs []*subscription[F]) {
	q.calls.Add(1)
	switch {
	case ev.reached != nil:
		close(ev.reached)
		return
	case ev.packets != nil:
		q.deliverMessages(ev, subs)
		return
	}
	for _, sub := range subs {
		if sub.wants(ev) {
			q.call(sub, ev.call)
		}
	}
}

func (q *Queue[F]) deliverMessages(ev *event[F], subs []*subscription[F]) {
	for len(ev.packets) > 0 {
		p := ev.packets[0]
		ev.packets = ev.packets[1:]
		q.deliverMessage(ev, subs, p)
	}
	ev.source.Window.Release(ev.size)
}

func (q *Queue[F]) deliverMessage(ev *event[F], subs []*subscription[F], p link.Packet) {
	defer p.Close() // closes the handles that no function has used
	q.calls.Add(1)
	call := ev.source.Message(p)
	for _, sub := range subs {
		if q.cfg.WantsMessages(&sub.functions) && sub.wants(ev) {
			q.call(sub, call)
		}
	}
}

// wants reports whether ev is for sub. Events before a subscription are not, unless
// they are repeated for it.
func (sub *subscription[F]) wants(ev *event[F]) bool {
	switch {
	case sub.cancelled.Load():
		return false
	case ev.only != nil:
		return ev.only == sub
	}
	return ev.number > sub.after && (sub.source == nil || ev.source == sub.source)
}

// call calls one function of a subscriber. A panic is reported and ends nothing else.
func (q *Queue[F]) call(sub *subscription[F], f func(*F)) {
	defer func() {
		if p := recover(); p != nil {
			q.cfg.Panicked(p, debug.Stack())
		}
	}()
	f(&sub.functions)
}

// Delivered returns a channel that is closed when all that is queued now has been
// delivered, or nil if nothing is queued.
func (q *Queue[F]) Delivered() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.delivering && len(q.queue) == 0 {
		return nil
	}
	mark := event[F]{reached: make(chan struct{})}
	q.queue = append(q.queue, mark)
	q.start()
	return mark.reached
}

// Await waits for a channel of Delivered. It gives up when one function takes longer
// than CallTimeout, and after QueueTimeout: a function may itself wait for the caller.
func (q *Queue[F]) Await(delivered <-chan struct{}) {
	tick := time.NewTicker(CallTimeout)
	defer tick.Stop()
	for range QueueTimeout / CallTimeout {
		calls := q.calls.Load()
		select {
		case <-delivered:
			return
		case <-tick.C:
			if q.calls.Load() == calls {
				return
			}
		}
	}
}

// Then has f called when the functions have had all that was emitted so far: at once, or by
// work, which calls what it gets on another goroutine, and f where that is to be called. It
// doesn't wait for functions that take long; see Await.
func (q *Queue[F]) Then(work func(func() func()), f func()) {
	delivered := q.Delivered()
	if delivered == nil {
		f()
		return
	}
	work(func() func() {
		q.Await(delivered)
		return f
	})
}

// Close says that no new messages are to be kept. What was emitted is still delivered.
func (q *Queue[F]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
