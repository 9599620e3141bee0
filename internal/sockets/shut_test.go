//go:build linux

package sockets

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
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

// harms are what a holder can do to a socket so that its clients, or the answers, don't get through.
var harms = map[string]func(t *testing.T, fd int, r bind.Request) error{
	"shut down for reading": func(_ *testing.T, fd int, _ bind.Request) error { return syscall.Shutdown(fd, syscall.SHUT_RD) },
	"shut down for writing": func(t *testing.T, fd int, r bind.Request) error {
		if !r.Packet {
			t.Skip("has no effect on a socket that listens")
		}
		return syscall.Shutdown(fd, syscall.SHUT_WR)
	},
	"shut down": func(_ *testing.T, fd int, _ bind.Request) error { return syscall.Shutdown(fd, syscall.SHUT_RDWR) },
	"connect":   connectElsewhere,
	"move":      move,
}

func connectElsewhere(t *testing.T, fd int, r bind.Request) error {
	if r.Network == "tcp" {
		_ = syscall.Shutdown(fd, syscall.SHUT_RDWR)
	}
	is, err := syscall.Getsockname(fd)
	if err != nil {
		return err
	}
	switch is := is.(type) {
	case *syscall.SockaddrInet4:
		err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: listenElsewhere(t)})
		if errors.Is(err, syscall.EINPROGRESS) {
			return nil
		}
		return err
	case *syscall.SockaddrInet6:
		return syscall.Connect(fd, &syscall.SockaddrInet6{Addr: is.Addr, Port: 9})
	}
	if r.Network == "unix" {
		t.Skip("a unix socket that listens can't be connected")
	}
	c := newClient(t, r.Network)
	t.Cleanup(func() { c.Close() })
	return syscall.Connect(fd, &syscall.SockaddrUnix{Name: c.LocalAddr().String()})
}

// freePort returns a port at which nobody listens.
func freePort(t *testing.T) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// listenElsewhere returns the port of another server.
func listenElsewhere(t *testing.T) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

// move has the clients of a socket, whose port the system has chosen, refused, and others served.
func move(t *testing.T, fd int, r bind.Request) error {
	if r.Network != "tcp" {
		t.Skip("others stay where they are bound")
	}
	if err := syscall.Shutdown(fd, syscall.SHUT_RD); err != nil {
		return err
	}
	err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if errors.Is(err, syscall.EINVAL) {
		t.Skip("a port that was asked for stays the socket's")
	}
	if err != nil {
		return err
	}
	return syscall.Listen(fd, 1)
}

// A socket that one holder has shut down, in whatever direction, or taken elsewhere, serves the next one
// that asks: a TCP socket listens again, another is bound anew.
func TestShutDown(t *testing.T) {
	for _, r := range []bind.Request{
		{Network: "tcp", Address: "127.0.0.1:0"}, {Network: "tcp", Address: fmt.Sprint("127.0.0.1:", freePort(t))}, {Network: "unix", Address: t.TempDir() + "/s"},
		{Network: "unixgram", Address: t.TempDir() + "/s", Packet: true},
		{Network: "udp", Address: "127.0.0.1:0", Packet: true}, {Network: "udp4", Address: ":0", Packet: true},
		{Network: "udp", Address: ":0", Packet: true}, {Network: "udp6", Address: "[::1]:0", Packet: true}, {Network: "udp6", Address: ":0", Packet: true},
	} {
		for name, harm := range harms {
			t.Run(fmt.Sprint(r.Network, r.Address, " ", name), func(t *testing.T) { testShutDown(t, r, harm) })
		}
	}
}

func testShutDown(t *testing.T, r bind.Request, harm func(*testing.T, int, bind.Request) error) {
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
	if err := harm(t, others.Int(), r); err != nil && !errors.Is(err, syscall.ENOTCONN) { // of UDP, where it takes effect
		t.Fatal(err)
	}
	again := d.askIn(2, r)
	if again.Addr.String() != first.Addr.String() || again.ID == first.ID && r.Network != "tcp" {
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

// A successor looks at the sockets of its predecessor as at its own.
func TestShutDownAfterAnUpgrade(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, name := range []string{"shut down", "shut down for reading", "move"} {
			t.Run(address+" "+name, func(t *testing.T) {
				d, r := newTestServer(t), bind.Request{Network: "tcp", Address: address}
				d.Open = Open
				if first := d.askIn(1, r); first.FD == nil {
					t.Skip(d.answers)
				}
				next := newTestServer(t)
				next.Open = Open
				testShutDownAfterAnUpgrade(t, d, next, r, harms[name])
			})
		}
	}
}

func testShutDownAfterAnUpgrade(t *testing.T, d, next *testServer, r bind.Request, harm func(*testing.T, int, bind.Request) error) {
	e := d.byID[1]
	fd, err := e.fd.Dup()
	next.RestorePorts(d.Ports())
	if err == nil {
		err = next.Restore(payload(e.snapshot()), []*descriptor.FD{fd}, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := harm(t, e.fd.Int(), r); err != nil {
		t.Skip(err) // to move goes to 127.0.0.1
	}
	if s := next.askIn(2, r); s.Addr.String() != e.addr.String() {
		t.Errorf("socket %d at %v, after one at %v", s.ID, s.Addr, e.addr)
	}
	c, err := net.Dial("tcp", e.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
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
