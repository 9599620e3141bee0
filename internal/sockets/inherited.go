package sockets

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/fdstore"
	"github.com/rota-go/rota/internal/match"
)

// inherited are the sockets that this process was started with: systemd, or another
// supervisor that speaks LISTEN_FDS, has bound them. In a successor, they are those of
// the first master too, sent by the predecessor. The files of inherited unix sockets are
// never unlinked, and the table only holds duplicates of their descriptors.
//
// A value is not changed but replaced: goroutines that run Open have copies.
type inherited struct {
	all       []inheritedSocket
	successor bool           // descriptor numbers in requests are those of the first master
	given     map[int]uint64 // the sockets that were open when the process was started; see cookies
	asked     *sync.Map      // the descriptors that were asked for: the first has chosen the queue's length
}

type inheritedSocket struct {
	n      int            // the descriptor
	file   *os.File       // of the environment: keeps n from being closed by a finalizer; never closed
	fd     *descriptor.FD // of the predecessor: owns n; closed by Table.Close
	first  int            // the descriptor's number in the first master; n where that is this one
	name   string         // of LISTEN_FDNAMES, or LISTEN_FD_<n>
	packet bool
	addr   net.Addr
}

// environment are the sockets of LISTEN_FDS. It is read once per process: the numbers
// mean the descriptors that were open when the process was started, and the program may
// change the variables or close the descriptors later. The variables stay as they are,
// because the program may want to read them too. Workers don't see them.
var environment = sync.OnceValue(readEnvironment)

// ReadEnvironment reads LISTEN_FDS, the first time that it is called. It must be called
// before the program can change the environment.
func ReadEnvironment() { environment() }

func readEnvironment() inherited {
	others := fdstore.Others() // what is a previous master's has no number that could be asked for
	in := inherited{given: cookies()}
	for _, p := range others {
		if s, err := inspect(os.NewFile(uintptr(p.N), p.Name)); err == nil { // a FIFO or a file is not an error, and no socket
			in.all = append(in.all, s)
		}
	}
	return in
}

// cookie returns the cookie of socket n, or 0 if it is none.
func cookie(n int) uint64 {
	c, _ := descriptor.Cookie(n) // an error: it is not a socket
	return c
}

// fresh returns in for a table, in which nobody has asked for anything yet.
func (in inherited) fresh() inherited {
	in.asked = &sync.Map{}
	return in
}

// isGiven reports whether a request is one for a socket that is to be opened, or for a
// descriptor that this process, or the first master, was started with: not one that it
// has opened itself.
func (in inherited) isGiven(r bind.Request) bool {
	if r.Network != "fd" && r.Network != "fdgram" {
		return true
	}
	first, err := bind.Number(r.Address)
	if err != nil || in.successor {
		return true // only a socket of all has a name, or a number in a successor
	}
	was := in.given[first]
	return was != 0 && was == cookie(first)
}

// options returns the options for descriptor n: the first request that asks for it decides
// how long its queue is, which all its holders share.
func (in inherited) options(r Request, n int) bind.Options {
	o := r.Options
	if r.Duplicate {
		o.Backlog = 0
		return o
	}
	if _, again := in.asked.LoadOrStore(n, true); again {
		o.Backlog = 0
	}
	return o
}

func inspect(f *os.File) (s inheritedSocket, err error) {
	s = inheritedSocket{file: f, name: f.Name()}
	if s.n, err = numberOf(f); err != nil {
		return s, err
	}
	s.first = s.n
	fd, err := bind.Options{}.Descriptor(s.n, false)
	if err != nil {
		s.packet = true
		if fd, err = (bind.Options{}).Descriptor(s.n, true); err != nil {
			return s, err
		}
	}
	defer fd.Close()
	s.addr, err = addrOf(fd, s.packet)
	return s, err
}

// numberOf returns f's descriptor, without f.Fd, which may make it blocking.
func numberOf(f *os.File) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(fd uintptr) { n = int(fd) })
	return n, err
}

// number returns the descriptor that the address of network fd or fdgram means: a
// number, or a name. A supervisor may give several sockets one name, as systemd does with
// all of a unit. The index of the request chooses among them.
func (in inherited) number(r Request) (int, error) {
	if n, err := strconv.Atoi(r.Address); err == nil && n >= 0 {
		return in.local(r.Address)
	}
	index, known := r.Index, false
	for _, s := range in.all {
		if s.name != r.Address {
			continue
		}
		known = true
		if s.packet != r.Packet {
			continue
		}
		if index == 0 {
			return s.n, nil
		}
		index--
	}
	switch {
	case !known:
		return bind.Number(r.Address) // an error that says so
	case r.Index > 0:
		return 0, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	return 0, &bind.DescriptorError{What: "no socket of this name is of this kind", Errno: syscall.EINVAL}
}

// local returns this process's number of the descriptor that address, a number, means.
func (in inherited) local(address string) (int, error) {
	n, err := bind.Number(address)
	if err != nil || !in.successor {
		return n, err
	}
	for _, s := range in.all {
		if s.first == n {
			return s.n, nil
		}
	}
	return 0, &bind.DescriptorError{What: "the first master was not given this descriptor", Errno: syscall.EBADF}
}

// find returns a duplicate of the inherited socket that has the address which net.Listen
// would bind for r. ok is false if there is none.
func (in inherited) find(ctx context.Context, r Request) (o Opened, ok bool, err error) {
	if len(in.all) == 0 {
		return o, false, nil
	}
	want := match.Address(ctx, r.Request)
	for _, s := range in.all {
		if want == nil || s.packet != r.Packet || !match.Serves(r.Network, s.addr, want) {
			continue
		}
		fd, err := in.options(r, s.n).Descriptor(s.n, s.packet)
		return Opened{FD: fd, Addr: s.addr}, true, err
	}
	return o, false, nil
}

// close closes the sockets of the predecessor.
func (in inherited) close() {
	for _, s := range in.all {
		if s.fd != nil {
			_ = s.fd.Close() // nothing was written to it
		}
	}
}

// Succeed makes this the table of a successor: the descriptor numbers in requests are
// those of the first master, and not this process's, and sockets of the predecessor may come
// until NoneComes.
func (t *Table) Succeed() { t.inherited.successor, t.follows = true, true }

// OnMissing has f called when an address is in use that a successor may have; nil: there is none.
func (t *Table) OnMissing(f func()) { t.missing = f }

// NoneComes says that no socket of the predecessor comes any more.
func (t *Table) NoneComes() { t.follows = false }

// Inherit takes a socket that the predecessor has inherited, as its SendInherited has
// described it, and with it the files: one descriptor, which the table closes at Close.
// Anything else is closed.
func (t *Table) Inherit(payload json.RawMessage, files []*descriptor.FD) {
	var s *inheritedSnapshot // nil after "null"
	if json.Unmarshal(payload, &s) != nil || s == nil || len(files) != 1 {
		descriptor.CloseAll(files)
		return
	}
	addr, err := addrOf(files[0], s.Packet)
	if err != nil {
		descriptor.CloseAll(files)
		return
	}
	t.inherited.all = append(slices.Clip(t.inherited.all), inheritedSocket{
		n: files[0].Int(), fd: files[0], first: s.First, name: s.Name, packet: s.Packet, addr: addr,
	})
}

// SendInherited calls send with a description of each inherited socket, and with a
// duplicate of its descriptor, which send must close. The next release may ask for a socket
// that this one doesn't.
func (t *Table) SendInherited(send func(json.RawMessage, *descriptor.FD)) {
	for _, s := range t.inherited.all {
		fd, err := descriptor.New(s.n).Dup() // New's FD is not closed: the descriptor stays open
		if err != nil {
			continue // the program has closed it
		}
		send(payload(inheritedSnapshot{First: s.first, Name: s.name, Packet: s.packet}), fd)
	}
}
