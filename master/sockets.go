package master

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// closeLinger is how long a socket that every worker has closed stays open. A worker
// that closes its socket on its way out, and is replaced, thus costs nothing.
const closeLinger = time.Second

// socketKey is what makes two requests one socket: what was asked for, as it was
// asked, and for port 0 the how manieth of the worker it is. A network has sockets of
// one kind; who asks it for the other gets net's error, and not what is open there.
type socketKey struct {
	network, address string
	packet           bool
	index            int
}

func (k socketKey) String() string {
	if k.index == 0 {
		return k.network + " " + k.address
	}
	return fmt.Sprintf("%s %s #%d", k.network, k.address, k.index)
}

// socket is an entry of the table. The table owns fd, and file.
type socket struct {
	id      int
	key     socketKey
	fd      *descriptor.FD // nil while bind is under way
	addr    net.Addr
	file    *socketFile // what to unlink; nil: nothing
	lent    *socketFile // what will be file once the old master has let go
	waiting []waiter    // asked while bind was under way
	closeAt time.Time   // everybody has closed it: when to follow; zero: not
}

// waiter is a worker's call that waits for bind.
type waiter struct {
	member *member
	call   uint32
	again  bool // the worker has the socket already, or waits for it
}

// sockets is the table of the sockets that the master has open.
type sockets struct {
	byKey map[socketKey]*socket
	byID  map[int]*socket
	last  int
	ports map[socketKey]string // of port 0, and of no name: the address that it came to be
}

func newSockets() sockets {
	return sockets{byKey: map[socketKey]*socket{}, byID: map[int]*socket{}, ports: map[socketKey]string{}}
}

// keyOf gives a request its key. The n-th port 0 of a worker is the lowest that the
// worker doesn't hold, so that after Close it gets the same again. The file of a unix
// socket is the same from wherever it is asked for.
func (t *sockets) keyOf(m *member, ask bind.Request) socketKey {
	key := socketKey{network: ask.Network, address: ask.Address, packet: ask.Packet}
	if bind.IsPath(ask.Network, ask.Address) {
		key.address = pathOf(ask)
	}
	for isSeveral(ask) && m.holds(key) {
		key.index++
	}
	return key
}

// isSeveral reports whether one address may stand for several sockets: port 0, a unix
// socket without a name, and the name of a given one.
func isSeveral(ask bind.Request) bool {
	if ask.Network == "fd" || ask.Network == "fdgram" {
		_, err := bind.Number(ask.Address)
		return err != nil
	}
	return isPortZero(ask) || isNameless(ask)
}

// isNameless reports whether the system chooses the name of a unix socket.
func isNameless(ask bind.Request) bool {
	return ask.Address == "" && strings.HasPrefix(ask.Network, "unix")
}

func isPortZero(ask bind.Request) bool {
	switch ask.Network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
		_, port, err := net.SplitHostPort(ask.Address)
		return ask.Address == "" || err == nil && strings.Trim(port, "0") == ""
	}
	return false
}

// open makes an entry that waits for its bind.
func (t *sockets) open(key socketKey) *socket {
	t.last++
	s := &socket{id: t.last, key: key}
	t.byKey[key], t.byID[s.id] = s, s
	return s
}

// address is what to bind for an entry: for one that was open before, the port or the
// name that the system chose for it.
func (t *sockets) address(s *socket, ask bind.Request) string {
	if had := t.ports[s.key]; had != "" {
		return had
	}
	return ask.Address
}

// bound fills an entry in.
func (t *sockets) bound(s *socket, b bound, ask bind.Request) {
	s.fd, s.addr, s.file = b.fd, b.addr, b.file
	switch {
	case isNameless(ask):
		t.ports[s.key] = b.addr.String()
	case isPortZero(ask):
		host, _, _ := net.SplitHostPort(ask.Address)
		_, port, _ := net.SplitHostPort(b.addr.String())
		t.ports[s.key] = net.JoinHostPort(host, port)
	}
}

// place is what two sockets can't both have, but for the host and the protocol, which
// the system knows better: a port, or the name of a unix socket.
func (s *socket) place() string {
	if bind.IsPath(s.key.network, s.key.address) {
		return s.key.address
	}
	return portOf(s.addr.String())
}

// placeOf is that of a request which the system has refused.
func placeOf(ask bind.Request, err error) string {
	var op *net.OpError
	switch {
	case bind.IsPath(ask.Network, ask.Address):
		return pathOf(ask)
	case errors.As(err, &op) && op.Addr != nil:
		return portOf(op.Addr.String()) // a number: the request may have a name
	}
	return portOf(ask.Address)
}

// portOf is the port of an address. One that has none is an abstract name, which may
// begin with a zero where the system says "@".
func portOf(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil {
		return port
	}
	return "@" + strings.TrimLeft(address, "@\x00")
}

// remove forgets an entry and closes its socket.
func (t *sockets) remove(s *socket) {
	delete(t.byKey, s.key)
	delete(t.byID, s.id)
	if s.file != nil {
		s.file.unlink() // first: an open socket is nobody's stale file
	}
	if s.fd != nil {
		_ = s.fd.Close() // a listening socket has nothing to write
	}
}

// addressOf describes a socket for events.
func addressOf(network string, addr net.Addr) Address {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return Address{Network: network, Address: addr.String()}
	}
	a := Address{Network: network, Address: host}
	fmt.Sscan(port, &a.Port)
	return a
}
