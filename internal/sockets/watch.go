package sockets

import (
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/spread"
)

// restAfter is how long all queues must have been empty before nobody looks at them any more,
// until a connection comes.
const restAfter = time.Second

// patrol is what a Server knows of the queues of the slots: it looks at them while
// connections come, and sleeps otherwise.
type patrol struct {
	sentry *spread.Sentry // nil: there are no queues of slots
	looks  bool           // a timer runs
	stop   func()         // stops the timer
	busy   time.Time      // when a connection was last seen waiting
}

// keepWatch begins to look at the queues of the slots, if there are any now.
func (s *Server) keepWatch() {
	if s.patrol.looks || !s.hasQueues() {
		return
	}
	if s.patrol.sentry == nil && !s.post() {
		return
	}
	s.look()
}

func (s *Server) hasQueues() bool {
	for _, e := range s.byID {
		if e.isWatched() {
			return true
		}
	}
	return false
}

// isWatched reports whether connections of e may wait for a worker that doesn't accept them,
// while others could.
func (e *entry) isWatched() bool {
	return e.spread != nil && len(e.spread.beside) > 0 && !e.key.Packet
}

// post makes the sentry, and waits for it on a goroutine that ends when the sentry is closed.
func (s *Server) post() bool {
	sentry, err := spread.NewSentry()
	if err != nil {
		return false // out of descriptors, for example; the next answer tries again
	}
	s.patrol.sentry, s.forget = sentry, sentry.Forget
	go func() {
		for sentry.Wait() == nil {
			s.Loop.After(0, s.keepWatch)
		}
	}()
	return true
}

// look looks at all queues, gets help for those that are stuck, and looks again after a tick.
func (s *Server) look() {
	if s.patrol.sentry == nil {
		return // the watch has ended meanwhile
	}
	now := time.Now()
	for _, e := range s.byID {
		if e.isWatched() {
			s.lookAt(e, now)
		}
	}
	if s.patrol.looks = now.Sub(s.patrol.busy) < restAfter; !s.patrol.looks {
		s.rest()
		return
	}
	s.patrol.stop = s.Loop.After(spread.Tick, s.look)
}

// rest has the sentry wait for the next connection.
func (s *Server) rest() {
	for _, e := range s.byID {
		if !e.isWatched() {
			continue
		}
		for _, fd := range e.all() {
			_ = s.patrol.sentry.Arm(fd.Int()) // without it nobody helps this slot
		}
	}
}

func (s *Server) lookAt(e *entry, now time.Time) {
	all := e.all()
	queues, holders := make([]spread.Queue, len(all)), s.holdersOf(e)
	for i, fd := range all {
		queues[i] = spread.Queue{Waits: descriptor.Waiting(fd.Int()), Served: holders[i] != nil}
		if queues[i].Waits {
			s.patrol.busy = now
		}
	}
	for _, slot := range e.spread.watch.Look(queues) {
		s.help(e, slot, holders)
	}
}

// holdersOf returns a holder for each slot that accepts from e there, by slot.
func (s *Server) holdersOf(e *entry) map[int]*holder {
	all := map[int]*holder{}
	for id, h := range e.askers {
		slot := h.slot % len(e.all())
		if h.accepts[e.id] && s.Owner.CanHelp(id) && (all[slot] == nil || all[slot].helps) {
			all[slot] = h
		}
	}
	return all
}

// help has a worker of another slot accept the connections that wait at one.
func (s *Server) help(e *entry, slot int, holders map[int]*holder) {
	helper, ok := e.spread.watch.Helper(slot, func(i int) bool { return !holders[i].helps })
	if !ok {
		return // at the next look
	}
	fd, err := e.queue(slot).Dup()
	if err != nil {
		return // out of descriptors: at the next look
	}
	h := holders[helper]
	h.helps = true
	s.Owner.Help(h.id, e.id, fd)
}

// Helped records that a holder has accepted what it was asked to.
func (s *Server) Helped(id int) { s.holder(id).helps = false }

// stopWatch ends the watch.
func (s *Server) stopWatch() {
	if s.patrol.sentry != nil {
		s.patrol.sentry.Close()
		if s.patrol.looks {
			s.patrol.stop()
		}
		s.patrol, s.forget = patrol{}, nil
	}
}

// CloseAll closes all sockets. Binds that are under way go on.
func (s *Server) CloseAll() {
	s.Table.CloseAll()
	s.stopWatch()
}

// Close is Table.Close.
func (s *Server) Close() {
	s.stopWatch()
	s.Table.Close()
}
