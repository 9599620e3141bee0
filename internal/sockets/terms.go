package sockets

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/socketfile"
)

// Terms are what a holder's requests are subject to.
type Terms struct {
	// Generation is the holder's. The holders of one have a bound of their own.
	Generation int
	// User is the user of the holder, if that is not this process's. Such a holder gets
	// what Allow permits; without an Allow what Named has, and what the first holders
	// asked for. From the descriptors of this process it gets those that the process was
	// started with, and those in Named.
	User *bind.User
	// Named are sockets that the configuration permits, as Key.String names them.
	Named []string
	// Allow may refuse a request, as Resolve returns it. It is called on another goroutine.
	Allow func(bind.Request) error
}

// SealAfter is how long after the first holder can be reached by clients the sockets that
// holders ask for are still those of the program, and not of somebody who has taken it over:
// a program opens some a moment after it has begun to serve on others.
const SealAfter = time.Second

// Limits of one request. Longer ones name no socket that there can be.
const (
	maxNetwork = 32
	maxAddress = 1024 // a host name has at most 253 bytes, a unix socket 108
	maxDir     = 4096
)

// Resolve returns r as it will be carried out: the path of a unix socket is absolute. It
// leads where it says, unless it has symbolic links.
func Resolve(r bind.Request) bind.Request {
	if bind.IsPath(r.Network, r.Address) {
		r.Address = socketfile.Path(r)
		if path, err := filepath.Abs(r.Address); err == nil {
			r.Address = path
		}
	}
	r.Dir = ""
	return r
}

// checkLength returns an error for a request that is longer than any socket's.
func checkLength(r bind.Request) error {
	switch {
	case len(r.Network) > maxNetwork:
		return syscall.EINVAL
	case len(r.Address) > maxAddress || len(r.Dir) > maxDir:
		return os.NewSyscallError("bind", syscall.ENAMETOOLONG)
	}
	return nil
}

// nameOfKind returns the key that stands for all sockets of a request's address.
func nameOfKind(r bind.Request) Key {
	r = Resolve(r)
	return Key{Network: r.Network, Address: r.Address, Packet: r.Packet}
}

// permit returns an error if a holder may not have what it asks for. Allow is not asked.
func (t *Table) permit(r bind.Request, terms Terms) error {
	key := nameOfKind(r)
	known := t.known[key]
	named := len(terms.Named) > 0 && slices.Contains(terms.Named, key.String())
	if (!t.sealed || named) && len(t.known) < maxKnown {
		t.known[key] = true
	}
	switch {
	case terms.User == nil || named:
		return nil
	case !t.inherited.isGiven(r):
		return &bind.DescriptorError{What: "this process was not started with it, and Config.Sockets doesn't name it", Errno: syscall.EACCES}
	case terms.Allow != nil || known || !t.sealed:
		return nil
	}
	return os.NewSyscallError("bind", syscall.EACCES)
}

// Seal ends the time in which holders with a user of their own may ask for what nobody has
// asked for yet.
func (t *Table) Seal() { t.sealed = true }

// Needs reports whether what a holder asks for now is what the program needs: a holder with a user of
// its own may be an attacker later.
func (t *Table) Needs(terms Terms) bool { return terms.User == nil || !t.sealed }

// Limits of the sockets that a holder has and the table doesn't.
const (
	maxOwn     = 256 // how many a holder may report
	maxOwnName = 256 // bytes of a name
)

// AcceptsOn returns the name of the socket on which a holder accepts: one of the table that
// it holds, or, if id is none, one that only the holder has, and calls own. ok is false if
// nobody should wait until other holders accept on it too: a holder with a user of its own
// could otherwise keep its successors from ever being ready.
func (t *Table) AcceptsOn(id, socket int, own string, terms Terms) (name string, ok bool) {
	h := t.holder(id)
	if e := t.byID[socket]; e != nil {
		h.accepts[socket] = h.held[socket] != nil
		return e.key.String(), h.asked[socket] != nil
	}
	if own == "" || len(own) > maxOwnName || h.own >= maxOwn {
		return "", false
	}
	if !t.sealed && len(t.owned) < maxOwn {
		t.owned[own] = true
	}
	h.own++
	return own, terms.User == nil || t.owned[own]
}
