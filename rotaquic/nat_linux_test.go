//go:build linux

package rotaquic

import (
	"net"
	"sync"
	"testing"
)

// nat is what stands between a client and a server, and gives the client another port when the test says so.
type nat struct {
	inside *net.UDPConn
	server *net.UDPAddr

	mu      sync.Mutex
	client  *net.UDPAddr
	outside *net.UDPConn
}

func newNAT(t testing.TB, server string) *nat {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	n := &nat{inside: inside, server: to}
	n.change(t)
	go n.out()
	t.Cleanup(func() { n.inside.Close(); n.port().Close() })
	return n
}

func (n *nat) addr() string { return n.inside.LocalAddr().String() }

func (n *nat) port() *net.UDPConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.outside
}

// change gives the client another port. What comes to the old one is lost.
func (n *nat) change(t testing.TB) {
	t.Helper()
	c, err := net.DialUDP("udp", nil, n.server)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.outside != nil {
		n.outside.Close()
	}
	n.outside = c
	go n.in(c)
}

func (n *nat) out() {
	for b := make([]byte, maxPacket); ; {
		size, from, err := n.inside.ReadFromUDP(b)
		if err != nil {
			return
		}
		n.mu.Lock()
		n.client = from
		n.mu.Unlock()
		_, _ = n.port().Write(b[:size])
	}
}

func (n *nat) in(c *net.UDPConn) {
	for b := make([]byte, maxPacket); ; {
		size, err := c.Read(b)
		if err != nil {
			return
		}
		n.mu.Lock()
		to := n.client
		n.mu.Unlock()
		_, _ = n.inside.WriteToUDP(b[:size], to)
	}
}
