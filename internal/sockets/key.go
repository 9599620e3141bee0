package sockets

import (
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/socketfile"
)

// Key identifies a socket: requests with the same key share one. Network and Address
// are those of the request as it was written; names are not resolved. A stream and a
// packet socket of the same network have different keys, so that a request of the wrong
// kind gets net's error and not the open socket of the other kind.
type Key struct {
	Network, Address string // the address of a unix socket's file is its path, absolute if the request said the directory
	Packet           bool
	Index            int // for port 0, the index of the holder's request; below zero: only this process has it
}

// String returns the key as the upgrade protocol and the reload policy name the socket.
func (k Key) String() string {
	if k.Index == 0 {
		return k.Network + " " + k.Address
	}
	return k.Network + " " + k.Address + " #" + strconv.Itoa(k.Index)
}

func (k Key) at(index int) Key {
	k.Index = index
	return k
}

// keyOf returns the key of a holder's request. For an address that stands for several
// sockets, the index is the lowest that the holder doesn't hold, so that a holder that
// closes a socket and asks again gets the same one.
func (h *holder) keyOf(r bind.Request) Key {
	key := Key{Network: r.Network, Address: r.Address, Packet: r.Packet}
	if bind.IsPath(r.Network, r.Address) {
		key.Address = socketfile.Path(r)
	}
	if h.id == Master {
		return h.mastersKey(key, isSeveral(r))
	}
	if !isSeveral(r) {
		return key
	}
	first := key
	for key.Index = h.next[first]; h.keys[key]; key.Index++ {
	}
	if key.Index > 0 {
		h.next[first] = key.Index
	}
	return key
}

// isSeveral reports whether one address may stand for several sockets: port 0, a unix
// socket without a name, and the name of inherited sockets.
func isSeveral(r bind.Request) bool {
	if r.Network == "fd" || r.Network == "fdgram" {
		_, err := bind.Number(r.Address)
		return err != nil
	}
	return isPortZero(r) || isNameless(r)
}

// isNameless reports whether the system chooses the name of a unix socket.
func isNameless(r bind.Request) bool {
	return r.Address == "" && strings.HasPrefix(r.Network, "unix")
}

// isPortZero reports whether the system chooses the port.
func isPortZero(r bind.Request) bool {
	switch r.Network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
		_, port, err := net.SplitHostPort(r.Address)
		return r.Address == "" || err == nil && strings.Trim(port, "0") == ""
	}
	return false
}

// preferred returns the address to try first: the one that the system chose the last
// time that the socket was open, if it was.
func (t *Table) preferred(key Key, r bind.Request) string {
	if address := t.ports[key]; address != "" {
		return address
	}
	return r.Address
}

// recordPort records the address that the system has chosen, if it was asked to.
func (t *Table) recordPort(e *entry) {
	switch r := (bind.Request{Network: e.key.Network, Address: e.key.Address}); {
	case isNameless(r):
		t.ports[e.key] = e.addr.String()
	case isPortZero(r):
		host, _, _ := net.SplitHostPort(r.Address)
		_, port, _ := net.SplitHostPort(e.addr.String())
		t.ports[e.key] = net.JoinHostPort(host, port)
	}
}

// place returns what two sockets that conflict have in common: the port, or the name of
// a unix socket. Whether sockets with the same port do conflict depends on host and
// protocol, and is left to the system.
func (e *entry) place() string {
	if bind.IsPath(e.key.Network, e.key.Address) {
		return e.key.Address
	}
	return portOf(e.addr.String())
}

// placeOf returns the place of a request that the system has refused with err.
func placeOf(r bind.Request, err error) string {
	var op *net.OpError
	switch {
	case bind.IsPath(r.Network, r.Address):
		return socketfile.Path(r)
	case errors.As(err, &op) && op.Addr != nil:
		return portOf(op.Addr.String()) // a number, where the request may have a name
	}
	return portOf(r.Address)
}

// portOf returns the port of an address. An address without one is an abstract name,
// which a request may begin with a zero byte where the system reports "@".
func portOf(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil {
		return port
	}
	return "@" + strings.TrimLeft(address, "@\x00")
}
