// Package replyaddr answers datagrams from the address that they were sent to. A UDP socket
// on a wildcard address receives for all addresses of the machine, and package net's WriteTo
// leaves the source address to the routes, so that a client which asked another address
// drops the answer. See docs/decisions/0034-a-datagram-is-answered-from-the-address-it-was-sent-to.md.
package replyaddr

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"weak"
)

// Conn reads and writes datagrams on a UDP conn, which it doesn't own.
type Conn struct {
	inner *net.UDPConn
	v6    bool // the socket's family is AF_INET6, with or without IPv4

	enable sync.Once
	err    error    // of the socket option, set by enable: the destinations can't be had
	dests  sync.Map // weak.Pointer[net.UDPAddr] → destination
	spaces sync.Pool
}

// destination is where a datagram was sent to.
type destination struct {
	addr    netip.Addr // in an AF_INET6 socket, IPv4 addresses are mapped to IPv6
	ifindex uint32     // the interface that it came in by
}

// New returns a Conn, or nil if c is not on a wildcard address: then the kernel has no choice.
func New(c *net.UDPConn) *Conn {
	local, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok || !local.IP.IsUnspecified() {
		return nil
	}
	return &Conn{
		inner:  c,
		v6:     local.IP.To4() == nil,
		spaces: sync.Pool{New: func() any { return new([controlSpace]byte) }},
	}
}

// ReadFrom is ReadFromUDP of the inner conn. It keeps the destination of the datagram
// for as long as the caller keeps the address.
func (c *Conn) ReadFrom(b []byte) (int, *net.UDPAddr, error) {
	c.enable.Do(func() { c.err = enable(c.inner, c.v6) })
	if c.err != nil {
		return c.inner.ReadFromUDP(b)
	}
	space := c.spaces.Get().(*[controlSpace]byte)
	defer c.spaces.Put(space)
	n, k, _, from, err := c.inner.ReadMsgUDP(b, space[:])
	if from != nil {
		if dest, ok := parse(space[:k]); ok {
			c.keep(from, dest)
		}
	}
	return n, from, err
}

// keep records dest for from, until from is garbage.
func (c *Conn) keep(from *net.UDPAddr, dest destination) {
	key := weak.Make(from)
	c.dests.Store(key, dest)
	runtime.AddCleanup(from, func(key weak.Pointer[net.UDPAddr]) { c.dests.Delete(key) }, key)
}

// WriteTo is WriteToUDP of the inner conn. If ReadFrom has returned to, by pointer, the
// datagram comes from the address that to had sent its own to.
func (c *Conn) WriteTo(b []byte, to *net.UDPAddr) (int, error) {
	if to != nil {
		if dest, ok := c.dests.Load(weak.Make(to)); ok {
			n, _, err := c.inner.WriteMsgUDP(b, dest.(destination).control(c.v6), to)
			if !refused(err) {
				return n, err
			}
		}
	}
	return c.inner.WriteToUDP(b, to)
}
