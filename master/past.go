package master

import (
	"slices"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
)

// maxPast bounds how many events of a worker are repeated to who subscribes late: a
// worker may open and close sockets for ever.
const maxPast = 256

// past is what has happened to a worker, in order, for those who subscribe to it
// late: Fork has returned only when the process runs, and by then the first events may
// have come. Node has it easier, as nothing happens there until the program lets go.
// Messages are in it only while nobody has subscribed to them. All of it belongs to
// events.mu.
type past struct {
	events  []event
	kept    int  // what the messages in it cost
	dropped bool // some were too many to keep
	warned  bool // and the log says so
}

func (w *Worker) remember(ev event) {
	if len(w.past.events) < maxPast {
		w.past.events = append(w.past.events, ev)
	}
}

// keep keeps messages of w for the first who subscribes to them: the earliest, as
// many as are reasonable. e.mu is held.
func (e *events) keep(w *Worker, packets []link.Packet) {
	size := 0
	for _, p := range packets {
		size += message.Cost(p)
	}
	if e.ending || w.past.kept > maxWaiting || len(w.past.events) >= maxPast {
		w.past.dropped = true
	}
	if w.past.dropped {
		e.drop(w, packets)
		return
	}
	w.past.kept += size
	e.keeping[w] = true
	if last := len(w.past.events) - 1; last >= 0 && w.past.events[last].packets != nil {
		w.past.events[last].packets = append(w.past.events[last].packets, packets...)
		return
	}
	w.remember(event{worker: w, packets: packets})
}

func (e *events) drop(w *Worker, packets []link.Packet) {
	for _, p := range packets {
		p.Close()
	}
	if !w.past.warned {
		w.past.warned = true
		e.log.Warn("rota: messages of worker dropped, nobody has subscribed to them", "worker", w.id)
	}
}

// repeat tells a new subscriber of one worker what has happened to it, and gives one
// of messages those that were kept. e.mu is held.
func (e *events) repeat(w *Worker, s *subscription) {
	if w != nil {
		e.repeatOne(w, s)
		return
	}
	if s.Message != nil {
		for w := range e.keeping {
			e.repeatOne(w, s)
		}
	}
}

// repeatOne queues what there is of w for s.
func (e *events) repeatOne(w *Worker, s *subscription) {
	for _, ev := range w.past.events {
		if ev.packets == nil && s.worker == 0 || ev.packets != nil && s.Message == nil {
			continue
		}
		ev.only = s
		e.push(ev)
	}
	if s.Message != nil {
		e.forget(w)
	}
}

// forget drops the messages that were kept of w, whose handles are somebody else's.
func (e *events) forget(w *Worker) {
	w.past.events = slices.DeleteFunc(w.past.events, func(ev event) bool { return ev.packets != nil })
	w.past.kept, w.past.dropped = 0, false
	delete(e.keeping, w)
}

// goneWorker closes the handles of what is still kept when w has gone. The messages
// stay for as long as the program has the worker.
func (e *events) goneWorker(w *Worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.keeping, w)
	for _, ev := range w.past.events {
		for _, p := range ev.packets {
			p.Close()
		}
	}
}
