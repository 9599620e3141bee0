package sockets

import (
	"slices"
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
		return s.lookAtLine(e, now)
	}
	queues, holders := make([]spread.Queue, len(all)), s.holdersOf(e)
	for i, fd := range all {
		queues[i] = spread.Queue{Waits: descriptor.Waiting(fd.Int()), Served: holders[i] != nil}
		waits = waits || queues[i].Waits
	}
	for _, slot := range e.spread.watch.Look(queues) {
		s.help(e, slot, holders)
	}
	s.level(e, now, queues, holders)
	return waits
}

// level has new connections go to the slots whose workers have fewer, when it is time.
func (s *Server) level(e *entry, now time.Time, queues []spread.Queue, holders map[int]*holder) {
	switch e.spread.even.Step(now) {
	case spread.Ask:
		if !s.count(now) {
			s.release(e.id)
		}
	case spread.Decide:
		if e.spread.even.Level(now, s.loads(queues, holders)) {
			s.steer(e)
		}
	}
}

// count asks the holders what they have, unless that is for nothing now. It reports whether it is not.
func (s *Server) count(now time.Time) bool {
	if now.Sub(s.counted) >= spread.Tick { // else for another socket
		s.counted, s.levels = now, s.Owner.Count()
	}
	return s.levels
}

// loads returns what the holders have, by slot; nil if one has never answered.
func (s *Server) loads(queues []spread.Queue, holders map[int]*holder) []spread.Load {
	all := make([]spread.Load, min(len(queues), s.queues))
	for i := range all {
		h := holders[i]
		if h == nil {
			continue
		}
		open, _, ok := s.Owner.Connections(h.id)
		if !ok {
			return nil
		}
		all[i] = spread.Load{Worker: h.id, Open: open, Waits: queues[i].Waits}
	}
	return all
}

// release has new connections go to all slots of a socket, or all holders.
func (s *Server) release(id int) {
	e := s.byID[id]
	if e.isSplit() && e.spread.even.Release() {
		s.steer(e)
	}
	for _, id := range e.rotation.Stop() {
		s.Owner.StandBy(id, e.id, 0)
	}
}

// lookAtLine is look for a socket with one queue. While holders have their turn, the next accept what waits.
func (s *Server) lookAtLine(e *entry, now time.Time) (waits bool) {
	waits = descriptor.Waiting(e.fd.Int())
	if s.rotate(e, now); e.rotation.Goes() || !e.line.Look(waits) {
		return waits
	}
	able := slices.DeleteFunc(s.acceptors(e), func(id int) bool { return s.holder(id).helps })
	if id, ok := e.line.Next(able); ok {
		s.holder(id).helps = true
		s.Owner.Help(id, e.id)
	}
	return waits
}

// acceptors returns the holders that accept from the one queue of a socket, in order.
func (s *Server) acceptors(e *entry) (all []int) {
	for id, h := range e.askers {
		if h.accepts[e.id] && s.Owner.CanHelp(id, true) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// rotate has the turn come to the next of the holders of a socket, if there are more than processors, and many connections.
func (s *Server) rotate(e *entry, now time.Time) {
	if len(e.askers) <= s.Processors && !e.rotation.Goes() {
		return
	}
	holders := s.acceptors(e)
	if len(holders) > s.Processors {
		s.countAccepted(e, now, holders)
	}
	on, off := e.rotation.Next(now, holders, s.Processors)
	for _, id := range on { // before the others leave
		s.Owner.StandBy(id, e.id, 0)
	}
	for _, id := range off {
		s.Owner.StandBy(id, e.id, spread.StandByFor(len(holders), s.Processors))
	}
}

// countAccepted counts how many connections the holders of a socket accept, when it is time.
func (s *Server) countAccepted(e *entry, now time.Time, holders []int) {
	switch e.rotation.Step(now) {
	case spread.Ask:
		s.count(now)
	case spread.Decide:
		accepted := map[int]int{}
		for _, id := range holders {
			if _, n, ok := s.Owner.Connections(id); ok {
				accepted[id] = n
			}
		}
		e.rotation.Count(now, accepted, s.Processors)
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
