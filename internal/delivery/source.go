package delivery

import (
	"slices"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/window"
)

const (
	// MaxWaiting bounds, in bytes, the messages of a source that wait for delivery,
	// and separately those that are kept for the first subscriber.
	MaxWaiting = 1 << 20

	// MaxDraining is MaxWaiting for a worker that drains: what it has sent is delivered, and its
	// link can't end before it is read.
	MaxDraining = 16 << 20

	// maxHistory bounds how many events of a source are repeated to late subscribers. A
	// worker may open and close any number of sockets.
	maxHistory = 256
)

// Source is what events are about, a worker for example. The queue's mutex guards its history.
type Source[F any] struct {
	ID     int
	Window *window.Window // of its messages that wait
	// Message returns the call that hands the message in p to a subscriber.
	Message func(p link.Packet) func(*F)

	// history holds the events so far, in order. A program subscribes to a worker after
	// it has forked it, when the first events may have been emitted already. Messages
	// are in history only until the first subscription to them.
	history []event[F]
	kept    int  // bytes of the messages in history
	full    bool // messages were dropped because history had no room
	warned  bool // Config.Dropped was called
}

// NewSource returns a source with a window of MaxWaiting.
func NewSource[F any](id int, message func(link.Packet) func(*F)) *Source[F] {
	return &Source[F]{ID: id, Window: window.New(MaxWaiting), Message: message}
}

// record adds an event to the history.
func (s *Source[F]) record(ev event[F]) {
	if len(s.history) < maxHistory {
		s.history = append(s.history, ev)
	}
}

// keep records messages of s for their first subscriber, the earliest, up to
// MaxWaiting. The rest is dropped. q.mu is held.
func (q *Queue[F]) keep(s *Source[F], packets []link.Packet) {
	if q.closed || s.kept > MaxWaiting || len(s.history) >= maxHistory {
		s.full = true
	}
	if s.full {
		q.drop(s, packets)
		return
	}
	for _, p := range packets {
		s.kept += message.Cost(p)
	}
	q.keeping[s] = true
	if last := len(s.history) - 1; last >= 0 && s.history[last].packets != nil {
		s.history[last].packets = append(s.history[last].packets, packets...)
		return
	}
	s.record(event[F]{source: s, packets: packets})
}

func (q *Queue[F]) drop(s *Source[F], packets []link.Packet) {
	closePackets(packets)
	if !s.warned {
		s.warned = true
		q.cfg.Dropped(s.ID)
	}
}

func closePackets(packets []link.Packet) {
	for _, p := range packets {
		p.Close()
	}
}

// repeat queues the history of s for a new subscriber of s, and the messages that were
// kept of any source for a new subscriber of all. q.mu is held.
func (q *Queue[F]) repeat(s *Source[F], sub *subscription[F]) {
	if s != nil {
		q.repeatOne(s, sub)
		return
	}
	if q.cfg.WantsMessages(&sub.functions) {
		for s := range q.keeping {
			q.repeatOne(s, sub)
		}
	}
}

func (q *Queue[F]) repeatOne(s *Source[F], sub *subscription[F]) {
	messages := q.cfg.WantsMessages(&sub.functions)
	for _, ev := range s.history {
		if ev.packets == nil && sub.source == nil || ev.packets != nil && !messages {
			continue
		}
		ev.only = sub
		q.push(ev)
	}
	if messages {
		q.forgetMessages(s)
	}
}

// forgetMessages removes the kept messages of s, which the queue owns now.
func (q *Queue[F]) forgetMessages(s *Source[F]) {
	s.history = slices.DeleteFunc(s.history, func(ev event[F]) bool { return ev.packets != nil })
	s.kept, s.full = 0, false
	delete(q.keeping, s)
}

// Gone closes the handles of the messages that are kept of s, which emits nothing any
// more. The messages themselves stay for later subscribers of s.
func (q *Queue[F]) Gone(s *Source[F]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.keeping, s)
	for _, ev := range s.history {
		closePackets(ev.packets)
	}
}
