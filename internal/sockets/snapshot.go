package sockets

import (
	"encoding/json"
	"fmt"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/directory"
	"github.com/rota-go/rota/internal/socketfile"
)

// What a master tells its successor about its sockets. The JSON of the types below is
// part of the upgrade protocol.

// snapshot describes an open socket, whose descriptor is sent with it.
type snapshot struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Packet  bool   `json:"packet,omitempty"`
	Index   int    `json:"index,omitempty"`
	Name    string `json:"name"`           // the address of the open socket
	NameNet string `json:"nameNet"`        // the network of that address
	Path    string `json:"path,omitempty"` // the file to unlink when the socket is closed
	Own     bool   `json:"own,omitempty"`  // nobody outside the rota has it
	Device  uint64 `json:"device,omitempty"`
	Inode   uint64 `json:"inode,omitempty"` // with Device: which file that is

	Slot   int  `json:"slot,omitempty"`   // whose queue it is
	Spread bool `json:"spread,omitempty"` // there may be a queue for each slot

	User *bind.User `json:"user,omitempty"` // with whose rights it is unlinked; nil: the master's
}

// portSnapshot is the port that the system has chosen for port 0, also of a socket that
// is closed.
type portSnapshot struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Packet  bool   `json:"packet,omitempty"`
	Index   int    `json:"index,omitempty"`
	Port    string `json:"port"` // an address, with host
}

// inheritedSnapshot describes a socket that the first master was started with, and whose
// descriptor is sent with it.
type inheritedSnapshot struct {
	First  int    `json:"first"` // its number in the first master
	Name   string `json:"name,omitempty"`
	Packet bool   `json:"packet,omitempty"`
}

// payload returns v, one of the types above, as JSON.
func payload(v any) json.RawMessage {
	b, _ := json.Marshal(v) // fails for none of them
	return b
}

// SendOpen calls send with a description of each open socket that is not in sent, by its id and
// slot, and with a duplicate of its descriptor, which send must close. It adds them to sent. It
// returns the error of the last descriptor that can't be duplicated.
func (t *Table) SendOpen(sent map[[2]int]bool, send func(json.RawMessage, *descriptor.FD)) (err error) {
	for id, e := range t.byID {
		for slot, fd := range e.all() {
			if sent[[2]int{id, slot}] {
				continue
			}
			sent[[2]int{id, slot}] = true
			dup, derr := fd.Dup()
			if derr != nil {
				err = derr
				continue
			}
			s := e.snapshot()
			s.Slot = slot
			send(payload(s), dup)
		}
	}
	return err
}

// Changes returns a number that is another one when SendOwn or Ports has something else to say.
func (t *Table) Changes() int { return t.changes }

// SendOwn is SendOpen for all sockets that nobody outside the rota has. A supervisor has the
// others, and passes them to the next master anyway.
func (t *Table) SendOwn(send func(json.RawMessage, *descriptor.FD)) (err error) {
	others := map[[2]int]bool{}
	for id, e := range t.byID {
		for slot := range e.all() {
			others[[2]int{id, slot}] = !e.own
		}
	}
	return t.SendOpen(others, send)
}

// TakeUp takes a socket of a master that is gone, as its SendOwn has described it, with its file,
// and owns fd. It fails, and closes fd, if that is no such socket. A socket that nobody asks for
// is closed like one of a holder that is gone: see Server.Released.
func (t *Table) TakeUp(payload json.RawMessage, fd *descriptor.FD) error {
	var s snapshot
	err := json.Unmarshal(payload, &s)
	if err == nil {
		err = s.check(fd)
	}
	if err != nil {
		_ = fd.Close() // nothing was written to it
		return fmt.Errorf("socket of the last master: %w", err)
	}
	if err := t.Restore(payload, []*descriptor.FD{fd}, false); err != nil {
		return err
	}
	t.abandoned = true
	t.OwnFiles()
	return nil
}

// check reports whether fd is the socket that s describes.
func (s *snapshot) check(fd *descriptor.FD) error {
	switch listens, err := descriptor.Listens(fd.Int()); {
	case err != nil:
		return err
	case listens == s.Packet:
		return fmt.Errorf("%s is a socket of another kind", s.key())
	}
	addr, err := addrOf(fd, s.Packet)
	if err != nil {
		return err
	}
	if is := addr.String(); !s.Own || is != s.Name || addr.Network() != s.NameNet {
		return fmt.Errorf("%s is said to be %s, and is %s", s.key(), s.Name, is)
	}
	return nil
}

func (e *entry) snapshot() *snapshot {
	s := &snapshot{
		Network: e.key.Network, Address: e.key.Address, Packet: e.key.Packet, Index: e.key.Index,
		Name: e.addr.String(), NameNet: e.addr.Network(), Own: e.own, Spread: e.spread != nil,
	}
	if e.file != nil {
		s.Path, s.Device, s.Inode, s.User = e.file.Path, e.file.Is.Device, e.file.Is.Inode, e.file.User
	}
	return s
}

func (s *snapshot) key() Key { return Key{s.Network, s.Address, s.Packet, s.Index} }

// Restore takes a socket of the predecessor, as its SendOpen has described it, and with it
// the files: one descriptor. A file in the file system stays the predecessor's until
// OwnFiles. If the table has the socket already, Restore closes the descriptor; if it is
// opening that, the descriptor is used if it can't be opened. After an error Restore has
// closed all files. With late the next CloseUnused leaves the socket open. Of a successor's
// sockets (see OnMissing) the table takes only those that it is opening, and none with a file.
func (t *Table) Restore(payload json.RawMessage, files []*descriptor.FD, late bool) error {
	var s snapshot
	if err := json.Unmarshal(payload, &s); err != nil {
		descriptor.CloseAll(files)
		return fmt.Errorf("socket of the old master: %w", err)
	}
	if len(files) != 1 {
		descriptor.CloseAll(files)
		return fmt.Errorf("socket %s came with %d descriptors, want 1", s.key(), len(files))
	}
	r := &restored{s, files[0]}
	switch e := t.byKey[s.key()]; {
	case t.missing != nil && (e == nil || e.fd != nil || s.Path != ""):
		descriptor.CloseAll(files)
	case e == nil:
		e = t.add(s.key(), 0)
		t.restore(e, r)
		e.late = late
	case e.fd == nil:
		e.given = append(e.given, r)
	default:
		t.restore(e, r)
	}
	t.changes++
	return nil
}

// restored is a socket of the predecessor: one of several if each slot has a queue.
type restored struct {
	snapshot
	fd *descriptor.FD
}

// restore makes sockets of the predecessor the entry's. It closes those that the entry has, and
// those of another address.
func (t *Table) restore(e *entry, all ...*restored) {
	for _, r := range all {
		switch {
		case e.fd == nil:
			t.restoreFirst(e, r)
		case e.addr.String() == r.Name:
			e.spread.restore(r.Slot, r.fd)
		default:
			_ = r.fd.Close() // nothing was written to it
		}
	}
}

func (t *Table) restoreFirst(e *entry, r *restored) {
	t.setSpread(e, r.Spread)
	e.fd, e.addr, e.shared = r.fd, bind.Addr(r.NameNet, r.Name), r.Own
	e.cookie = cookie(r.fd.Int())
	t.recordPort(e) // Ports may have been asked before
	if r.Path != "" {
		e.borrowed = &socketfile.File{Path: r.Path, Is: directory.Identity{Device: r.Device, Inode: r.Inode}, User: r.User}
	}
}

// takeGiven returns what has come from the predecessor during a bind, once.
func (e *entry) takeGiven() []*restored {
	given := e.given
	e.given = nil
	return given
}

func closeRestored(all []*restored) {
	for _, r := range all {
		_ = r.fd.Close() // nothing was written to it
	}
}

// OwnFiles makes restored sockets the table's, and their files its to unlink: the
// predecessor has left. Clients come to the queues that were opened beside its own from now on.
func (t *Table) OwnFiles() {
	t.changes++
	for _, e := range t.byID {
		e.own, e.shared = e.own || e.shared, false
		if e.spread != nil && e.spread.theirs > 0 {
			e.spread.theirs = 0
			t.steer(e)
		}
		if e.borrowed != nil {
			e.file, e.borrowed = e.borrowed, nil
		}
	}
}

// DisownFiles leaves all sockets and files to the successor.
func (t *Table) DisownFiles() {
	for _, e := range t.byID {
		e.file, e.borrowed = nil, nil
		e.own, e.shared = false, false
	}
}

// Ports returns the ports that the system has chosen, for RestorePorts, or nil if there
// are none.
func (t *Table) Ports() json.RawMessage {
	var all []portSnapshot
	for k, port := range t.ports {
		all = append(all, portSnapshot{k.Network, k.Address, k.Packet, k.Index, port})
	}
	if all == nil {
		return nil
	}
	return payload(all)
}

// RestorePorts records the ports of the predecessor. It ignores what it can't read.
func (t *Table) RestorePorts(payload json.RawMessage) {
	var all []portSnapshot
	_ = json.Unmarshal(payload, &all)
	for _, p := range all {
		t.ports[Key{p.Network, p.Address, p.Packet, p.Index}] = p.Port
	}
}
