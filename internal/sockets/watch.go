package sockets

import (
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/spread"
)

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

// guard has somebody look at the queues of socket id when a connection comes. It is called when a holder
// accepts: before, nobody could help.
func (s *Server) guard(id int) {
	if s.forget == nil {
		s.patrol = spread.Patrol{After: s.Loop.After, Queues: s.watched, Look: s.look, Rest: s.release}
		s.forget = s.patrol.Forget
	}
	s.patrol.Guard(id)
}

// watched returns the descriptors of socket id if isWatched.
func (s *Server) watched(id int) (fds []int) {
	if e := s.byID[id]; e != nil && e.isWatched() {
		for _, fd := range e.all() {
			fds = append(fds, fd.Int())
		}
	}
	return fds
}

// look looks at the queues of a socket, gets help for those that are stuck, and reports whether somebody waits.
func (s *Server) look(id int, now time.Time) (waits bool) {
	e := s.byID[id]
	all := e.all()
	if len(all) == 1 {
		return s.lookAtLine(e)
	}
	queues, holders := make([]spread.Queue, len(all)), s.holdersOf(e)
	for i, fd := range all {
		queues[i] = spread.Queue{Waits: descriptor.Waiting(fd.Int()), Served: holders[i] != nil}
		waits = waits || queues[i].Waits
	}
	for _, slot := range e.spread.watch.Look(queues) {
		s.help(e, slot, holders)
	}
	leveled := s.level(e, now, queues, holders)
	if e.spread.rotation.Next(now, queues, s.chosen(e), s.processors) || leveled {
		s.steer(e)
	}
	return waits
}

// level chooses the slots whose workers have fewer, when it is time, and reports whether these have changed.
func (s *Server) level(e *entry, now time.Time, queues []spread.Queue, holders map[int]*holder) (changed bool) {
	switch e.spread.even.Step(now) {
	case spread.Ask:
		if now.Sub(s.counted) >= spread.Tick { // else for another socket
			s.counted, s.levels = now, s.Owner.Count()
		}
		return !s.levels && e.spread.even.Release()
	case spread.Decide:
		loads := s.loads(queues, holders)
		e.spread.rotation.Count(now, loads, s.processors)
		return e.spread.even.Level(now, loads)
	}
	return false
}

// loads returns what the holders have, by slot; nil if one has never answered.
func (s *Server) loads(queues []spread.Queue, holders map[int]*holder) []spread.Load {
	all := make([]spread.Load, min(len(queues), s.queues))
	for i := range all {
		h := holders[i]
		if h == nil {
			continue
		}
		open, accepted, ok := s.Owner.Connections(h.id)
		if !ok {
			return nil
		}
		all[i] = spread.Load{Worker: h.id, Open: open, Accepted: accepted, Waits: queues[i].Waits}
	}
	return all
}

// release has new connections go to all slots of a socket.
func (s *Server) release(id int) {
	if e := s.byID[id]; e.isSplit() && e.spread.release() {
		s.steer(e)
	}
}

// lookAtLine is look for a socket with one queue.
func (s *Server) lookAtLine(e *entry) (waits bool) {
	waits = descriptor.Waiting(e.fd.Int())
	if !e.line.Look(waits) {
		return waits
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
	return waits
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

// CloseAll closes all sockets. Binds that are under way go on.
func (s *Server) CloseAll() {
	s.Table.CloseAll()
	s.patrol.Close()
}

// Close is Table.Close.
func (s *Server) Close() {
	s.patrol.Close()
	s.Table.Close()
}
