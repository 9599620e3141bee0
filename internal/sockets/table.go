// Package sockets is the master's table of sockets: which are open, which worker holds
// which, which calls wait for a bind, and when a socket is closed.
//
// A Table is a plain value of one goroutine, the master's loop. Its methods decide and
// return what is to be done; they don't wait, and the only system calls they make are
// those that close a socket. Open makes the system calls that open
// a socket. It may take long (a name to resolve, a directory that is locked), and runs
// on another goroutine:
//
//	answers, bind := table.Ask(caller, request)
//	// answer the calls; if bind is not nil, on another goroutine:
//	opened, err := bind.Run(ctx, sockets.Open)
//	// and then, on the first goroutine again:
//	answers, bind = table.Bound(bind, opened, err, time.Now())
//
// A Server carries this out: it runs the binds on other goroutines, passes the answers to
// its owner, the master, and has a timer for the sockets that are to be closed later.
//
// A holder, in practice a worker, is known to the table by its id. Each call of Ask is
// answered exactly once, by Ask itself or by a later Bound.
package sockets

import (
	"iter"
	"net"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/internal/socketfile"
	"github.com/rota-go/rota/internal/spread"
	"github.com/rota-go/rota/status"
)

// Table is the table of sockets. New makes one.
type Table struct {
	// Files is what unlinks the files of sockets, and then closes these, in turns by the
	// file's path, so that a file system that doesn't answer holds up nobody else. With nil
	// that is done at once. It is set before the first call of a method.
	Files *mailbox.Turns

	byKey      map[Key]*entry
	byID       map[int]*entry
	last       int // the latest id of a socket
	holders    map[int]*holder
	ports      map[Key]string // the address that the system chose for a key that leaves it the choice
	lingering  []deadline     // in the order of their time; some may have been cancelled
	inherited  inherited
	known      map[Key]bool    // what was asked for before sealed, and what the configuration names; with index 0
	owned      map[string]bool // what holders had of their own before sealed
	sealed     bool
	spread     map[int]*entry // those that may have a queue for each slot, by id
	queues     int            // how many queues a socket gets that has one for each slot; 0, 1: one
	Processors int            // that the holders can use at a time
	forget     func(int)      // is told a descriptor before it is closed; nil: nobody
	limit      int            // how many sockets may be open; 0: any number
	opened     map[int]int    // how many sockets are open, by the generation that has opened them
	refuses    bool           // new clients, since the last CloseAll
	follows    bool           // sockets of a predecessor may come
	missing    func()         // see OnMissing
	abandoned  bool           // holders have gone or closed sockets since makeRoom
	changes    int            // counts what SendOwn and Ports would say anew
}

// Socket is an open socket of a Table.
type Socket struct {
	ID   int
	Key  Key
	Addr net.Addr
	FD   *descriptor.FD // the table's, which closes it; duplicate it before the next call of a method

	Cookie uint64 // the kernel's number of the socket, of the first one if each slot has one; 0 if it is not known
	InTurn bool   // several holders accept from it, each in its turn
}

// entry is a socket in the table. The table closes fd and unlinks file.
type entry struct {
	id         int
	key        Key
	generation int            // of the holder that it was opened for; 0: restored
	foreign    bool           // that holder had a user of its own
	fd         *descriptor.FD // nil while a bind is under way
	cookie     uint64         // of fd
	spread     *spreading     // nil: one queue for all holders
	inTurn     bool           // holders have got it with InTurn
	line       spread.Line    // those that wait for a connection to it in turn
	rotation   spread.Rotation
	addr       net.Addr
	file       *socketfile.File // the file to unlink; nil if there is none
	borrowed   *socketfile.File // becomes file when the predecessor has left
	own        bool             // nobody outside the rota has it, nor a predecessor or successor
	late       bool             // restored when holders could no longer ask for it before CloseUnused
	shared     bool             // becomes own when the predecessor has left
	given      []*restored      // came from the predecessor while a bind is under way
	waiting    []waiter         // the calls that wait for the bind
	holders    int              // how many hold it
	asks       int              // how many times it was asked for
	askers     map[int]*holder  // who has ever asked for it, by id, until released
	closeAt    time.Time        // when it is closed, if nobody asks for it until then; zero if it is not to be closed
}

// waiter is a call that waits for a bind.
type waiter struct {
	Caller
	duplicate bool // the holder holds the socket already, or waits for it
}

// holder is what the table knows of a holder.
type holder struct {
	held       map[int]*entry // by id
	keys       map[Key]bool   // of held
	next       map[Key]int    // by key with index 0, which is held: no index below this one is free
	asked      map[int]*entry // the sockets that it has ever asked for, by id
	generation int
	own        int // how many sockets of its own it has reported
	id         int
	slot       int

	accepts map[int]bool // the sockets that it accepts from, by id
	helps   bool         // it was asked to accept from the queue of another slot, and has not answered

	denied bool // a socket, which was reported
}

// New returns an empty table, in which requests find the sockets that this process has
// inherited from its supervisor (see ReadEnvironment). The holders can use so many processors at a time.
func New(processors int) *Table {
	return &Table{
		byKey: map[Key]*entry{}, byID: map[int]*entry{}, holders: map[int]*holder{}, ports: map[Key]string{},
		inherited: environment().fresh(), known: map[Key]bool{}, opened: map[int]int{}, spread: map[int]*entry{}, owned: map[string]bool{}, limit: limit(), Processors: processors,
	}
}

// add makes an entry that waits for its bind.
func (t *Table) add(key Key, generation int) *entry {
	t.last++
	e := &entry{id: t.last, key: key, generation: generation, askers: map[int]*holder{}}
	t.byKey[key], t.byID[e.id] = e, e
	t.opened[generation]++
	return e
}

// setSpread says whether e may have a queue for each slot.
func (t *Table) setSpread(e *entry, may bool) {
	e.spread = nil
	delete(t.spread, e.id)
	if may {
		e.spread, t.spread[e.id] = &spreading{}, e
	}
}

// remove closes the socket of an entry, and removes the entry.
func (t *Table) remove(e *entry) {
	delete(t.byKey, e.key)
	delete(t.byID, e.id)
	t.changes++
	delete(t.spread, e.id)
	if t.opened[e.generation]--; t.opened[e.generation] == 0 {
		delete(t.opened, e.generation)
	}
	for _, h := range e.askers {
		h.unhold(e)
		delete(h.asked, e.id)
	}
	clear(e.askers)
	closeRestored(e.takeGiven())
	t.leave(e)
	switch file, fd := e.file, e.fd; {
	case file != nil:
		t.Files.Do(file.Path, func() func() {
			file.Unlink()  // before the close: a file without an open socket looks stale to other masters
			_ = fd.Close() // nothing was written to it
			return func() {}
		})
	case fd != nil:
		_ = fd.Close() // nothing was written to it; to close a socket that listens doesn't block
	}
	t.forgetPorts()
}

func (e *entry) socket() Socket { return Socket{ID: e.id, Key: e.key, Addr: e.addr, FD: e.fd} }

// of returns the socket with the queue of a holder.
func (t *Table) of(e *entry, h *holder) Socket {
	s := e.socket()
	s.FD, s.Cookie, s.InTurn = e.queue(h.slot), e.cookie, t.acceptsInTurn(e)
	return s
}

// Sockets returns the open sockets.
func (t *Table) Sockets() iter.Seq[Socket] {
	return func(yield func(Socket) bool) {
		for _, e := range t.byID {
			if e.fd != nil && !yield(e.socket()) {
				return
			}
		}
	}
}

// Status returns what is known of the open sockets. Its system calls don't block.
func (t *Table) Status() []status.Socket {
	all := make([]status.Socket, 0, len(t.byID))
	for _, e := range t.byID {
		if e.fd == nil {
			continue
		}
		s := status.Socket{Network: e.key.Network, Address: e.addr.String(), Workers: e.holders}
		if !e.key.Packet {
			s.Queue, s.Limit = e.acceptQueue()
		}
		all = append(all, s)
	}
	return all
}

// acceptQueue returns the sums for the queues of all slots.
func (e *entry) acceptQueue() (length, limit int) {
	for _, fd := range e.all() {
		n, most := fd.AcceptQueue()
		length, limit = length+n, limit+most
	}
	return length, limit
}

// Name returns the name of socket id, which is the same in every master: what was asked
// for. ok is false if there is no such socket.
func (t *Table) Name(id int) (name string, ok bool) {
	e := t.byID[id]
	if e == nil {
		return "", false
	}
	return e.key.String(), true
}

// Addresses returns the addresses of the open sockets that a holder holds.
func (t *Table) Addresses(id int) []string {
	h := t.holders[id]
	if h == nil {
		return []string{}
	}
	addrs := make([]string, 0, len(h.held))
	for _, e := range h.held {
		if e.addr != nil {
			addrs = append(addrs, e.addr.String())
		}
	}
	return addrs
}

// holder returns what is known of holder id, which is nothing at first.
func (t *Table) holder(id int) *holder {
	h := t.holders[id]
	if h == nil {
		h = &holder{id: id, held: map[int]*entry{}, keys: map[Key]bool{}, next: map[Key]int{}, asked: map[int]*entry{}, accepts: map[int]bool{}}
		t.holders[id] = h
	}
	return h
}

func (h *holder) hold(e *entry) {
	if h.held[e.id] == nil {
		h.held[e.id], h.keys[e.key] = e, true
		e.holders++
	}
}

func (h *holder) unhold(e *entry) {
	if h.held[e.id] == nil {
		return
	}
	delete(h.held, e.id)
	delete(h.keys, e.key)
	e.holders--
	delete(h.accepts, e.id)
	first := e.key.at(0)
	switch next, ok := h.next[first]; {
	case e.key.Index == 0:
		delete(h.next, first)
	case ok && e.key.Index < next:
		h.next[first] = e.key.Index
	}
}
