package sockets

import (
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/spread"
)

// restAfter is how long all queues of a socket must have been empty before nobody looks at them
// any more, until a connection comes.
const restAfter = time.Second

// patrol is what a Server knows of the queues that several workers accept from: it looks at those of
// a socket while connections come to it, and sleeps otherwise.
type patrol struct {
	sentry *spread.Sentry    // nil: there are no such queues
	busy   map[int]time.Time // when a connection was last seen waiting, by the id of a socket that is looked at
	looks  bool              // a timer runs
	stop   func()            // stops the timer
}

// isWatched reports whether connections of e may wait for a worker that doesn't accept them,
// while others could.
func (e *entry) isWatched() bool { return !e.key.Packet && (e.isSplit() || e.inTurn) }

// isSplit reports whether e has a queue for each slot.
func (e *entry) isSplit() bool { return e.spread != nil && len(e.spread.beside) > 0 }

// acceptsInTurn reports whether the holders of e accept from its one queue in turn: there are several,
// and this process sees when the one that was woken doesn't.
func (t *Table) acceptsInTurn(e *entry) bool {
	if !e.inTurn && t.queues > 1 && !e.key.Packet {
		listens, err := descriptor.Listens(e.fd.Int()) // a supervisor's may not
		e.inTurn = listens && err == nil
	}
	return e.inTurn && !e.isSplit()
}

// guard has the sentry report the next connection to socket id, unless its queues are looked at. It is
// called when a holder accepts: before, nobody could help.
func (s *Server) guard(id int) {
	e := s.byID[id]
	if e == nil || !e.isWatched() || s.patrol.sentry == nil && !s.post() {
		return
	}
	if s.patrol.busy[id].IsZero() {
		s.rest(e)
	}
}

// wake begins to look at the queues of socket id, which the sentry has reported.
func (s *Server) wake(id int) {
	if s.patrol.sentry == nil {
		return
	}
	s.patrol.busy[id] = time.Now()
	if !s.patrol.looks {
		s.look()
	}
}

// post makes the sentry, and waits for it on a goroutine that ends when the sentry is closed.
func (s *Server) post() bool {
	sentry, err := spread.NewSentry()
	if err != nil {
		return false // out of descriptors, for example; the next answer tries again
	}
	s.patrol.sentry, s.patrol.busy, s.forget = sentry, map[int]time.Time{}, sentry.Forget
	go func() {
		for id, err := sentry.Wait(); err == nil; id, err = sentry.Wait() {
			s.Loop.After(0, func() { s.wake(id) })
		}
	}()
	return true
}

// look looks at the queues of all sockets that are busy, gets help for those that are stuck, and
// looks again after a tick.
func (s *Server) look() {
	now := time.Now()
	for id, busy := range s.patrol.busy {
		e := s.byID[id]
		switch {
		case e == nil || !e.isWatched():
			delete(s.patrol.busy, id)
		case now.Sub(busy) > restAfter:
			delete(s.patrol.busy, id)
			s.rest(e)
		default:
			s.lookAt(e, now)
		}
	}
	if s.patrol.looks = len(s.patrol.busy) > 0; s.patrol.looks {
		s.patrol.stop = s.Loop.After(spread.Tick, s.look)
	}
}

// rest has the sentry wait for the next connection to a socket.
func (s *Server) rest(e *entry) {
	for _, fd := range e.all() {
		_ = s.patrol.sentry.Arm(fd.Int(), e.id) // without it nobody helps this slot
	}
}

func (s *Server) lookAt(e *entry, now time.Time) {
	all := e.all()
	if len(all) == 1 {
		s.lookAtLine(e, now)
		return
	}
	queues, holders := make([]spread.Queue, len(all)), s.holdersOf(e)
	for i, fd := range all {
		queues[i] = spread.Queue{Waits: descriptor.Waiting(fd.Int()), Served: holders[i] != nil}
		if queues[i].Waits {
			s.patrol.busy[e.id] = now
		}
	}
	for _, slot := range e.spread.watch.Look(queues) {
		s.help(e, slot, holders)
	}
}

// lookAtLine is lookAt for a socket with one queue.
func (s *Server) lookAtLine(e *entry, now time.Time) {
	waits := descriptor.Waiting(e.fd.Int())
	if waits {
		s.patrol.busy[e.id] = now
	}
	if !e.line.Look(waits) {
		return
	}
	var all []int
	for id, h := range e.askers {
		if h.accepts[e.id] && !h.helps && s.Owner.CanHelp(id, true) {
			all = append(all, id)
		}
	}
	if id, ok := e.line.Next(all); ok {
		s.holder(id).helps = true
		s.Owner.Help(id, e.id)
	}
}

// holdersOf returns a holder for each slot that accepts from e there, by slot.
func (s *Server) holdersOf(e *entry) map[int]*holder {
	all := map[int]*holder{}
	for id, h := range e.askers {
		slot := h.slot % len(e.all())
		if h.accepts[e.id] && s.Owner.CanHelp(id, false) && (all[slot] == nil || all[slot].helps) {
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
