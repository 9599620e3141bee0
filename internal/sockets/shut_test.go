//go:build linux

package sockets

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
)

// askIn asks for a socket, and returns the one that the table has then.
func (d *testServer) askIn(holder int, r bind.Request) (s Socket) {
	d.t.Helper()
	d.Ask(d.t.Context(), Caller{holder, 1}, r, Terms{})
	d.run()
	for s = range d.Sockets() {
	}
	return s
}

// A socket that one holder has shut down, in whatever direction, serves the next one that asks:
// a TCP socket listens again, another is bound anew.
func TestShutDown(t *testing.T) {
	for _, r := range []bind.Request{
		{Network: "tcp", Address: "127.0.0.1:0"}, {Network: "unix", Address: t.TempDir() + "/s"},
		{Network: "unixgram", Address: t.TempDir() + "/s", Packet: true},
		{Network: "udp", Address: "127.0.0.1:0", Packet: true}, {Network: "udp4", Address: ":0", Packet: true},
		{Network: "udp", Address: ":0", Packet: true}, {Network: "udp6", Address: "[::1]:0", Packet: true}, {Network: "udp6", Address: ":0", Packet: true},
	} {
		for _, how := range []int{syscall.SHUT_RD, syscall.SHUT_WR, syscall.SHUT_RDWR} {
			if !r.Packet && how == syscall.SHUT_WR {
				continue // has no effect on a socket that listens
			}
			t.Run(fmt.Sprint(r.Network, r.Address, how), func(t *testing.T) { testShutDown(t, r, how) })
		}
	}
}

func testShutDown(t *testing.T, r bind.Request, how int) {
	d := newTestServer(t)
	d.Open = Open
	first := d.askIn(1, r)
	if first.FD == nil {
		t.Skip(d.answers)
	}
	others, err := first.FD.Dup() // the other holders keep it
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close()
	_ = syscall.Shutdown(others.Int(), how) // ENOTCONN for UDP, and it takes effect
	again := d.askIn(2, r)
	if again.Addr.String() != first.Addr.String() || (again.ID == first.ID) != (r.Network == "tcp") {
		t.Fatalf("socket %d at %v, after %d at %v", again.ID, again.Addr, first.ID, first.Addr)
	}
	if r.Packet {
		wantAnswer(t, r.Network, again)
	} else if c, err := net.Dial(r.Network, first.Addr.String()); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if is := d.askIn(3, r); is.ID != again.ID {
		t.Errorf("socket %d, after %d, which is well", is.ID, again.ID)
	}
	if reuse, err := syscall.GetsockoptInt(others.Int(), syscall.SOL_SOCKET, syscall.SO_REUSEADDR); r.Packet && (reuse != 0 || err != nil) {
		t.Errorf("SO_REUSEADDR of the old one: %d, %v", reuse, err)
	}
}

// wantAnswer asks and answers on a socket for datagrams.
func wantAnswer(t *testing.T, network string, s Socket) {
	t.Helper()
	pc, err := s.FD.PacketConn()
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	client := newClient(t, network)
	defer client.Close()
	to := s.Addr
	if u, ok := to.(*net.UDPAddr); ok && u.IP.IsUnspecified() {
		to = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: u.Port}
		if network == "udp6" {
			to = &net.UDPAddr{IP: net.IPv6loopback, Port: u.Port}
		}
	}
	for _, c := range []net.PacketConn{pc, client} {
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.WriteTo([]byte("x"), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	_, from, err := pc.ReadFrom(buf)
	if err != nil {
		t.Fatal("the datagram goes elsewhere: ", err)
	}
	if _, err := pc.WriteTo(buf, from); err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.ReadFrom(buf); err != nil {
		t.Fatal(err)
	}
}

func newClient(t *testing.T, network string) net.PacketConn {
	t.Helper()
	address := ":0"
	if network == "unixgram" {
		address = t.TempDir() + "/client"
	}
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A UDP socket that a supervisor has given is not replaced: there is no other.
func TestShutDownOfASupervisors(t *testing.T) {
	d := newTestServer(t)
	d.Open = Open
	r := bind.Request{Network: "udp", Address: "127.0.0.1:0", Packet: true}
	first := d.askIn(1, r)
	d.byID[first.ID].own = false
	_ = syscall.Shutdown(first.FD.Int(), syscall.SHUT_RDWR)
	if again := d.askIn(2, r); again.ID != first.ID {
		t.Errorf("socket %d in the place of %d", again.ID, first.ID)
	}
}
