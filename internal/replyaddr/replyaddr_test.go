//go:build linux

package replyaddr

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
)

// udp returns a conn of package net on a free port.
func udp(t testing.TB, network, host string) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenPacket(network, net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("%s on %q: %v", network, host, err)
	}
	t.Cleanup(func() { pc.Close() })
	_ = pc.SetDeadline(time.Now().Add(10 * time.Second))
	return pc.(*net.UDPConn)
}

func portOf(c *net.UDPConn) int { return c.LocalAddr().(*net.UDPAddr).Port }

// exchange sends text from client to asked, has c answer, and returns where the answer
// comes from.
func exchange(t *testing.T, c *Conn, client *net.UDPConn, asked netip.AddrPort) netip.AddrPort {
	t.Helper()
	if _, err := client.WriteToUDPAddrPort([]byte("question"), asked); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, from, err := c.ReadFrom(b)
	if err != nil || string(b[:n]) != "question" {
		t.Fatalf("read %q, %v", b[:n], err)
	}
	if _, err := c.WriteTo([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	n, source, err := client.ReadFromUDPAddrPort(b)
	if err != nil || string(b[:n]) != "answer" {
		t.Fatalf("answer %q, %v", b[:n], err)
	}
	return netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
}

func TestAnswersFromTheAddressThatWasAsked(t *testing.T) {
	for _, tc := range []struct{ network, host, client, asked string }{
		{"udp4", "0.0.0.0", "127.0.0.1", "127.0.0.1"},
		{"udp4", "0.0.0.0", "127.0.0.1", "127.0.0.2"},
		{"udp4", "0.0.0.0", "127.0.0.9", "127.5.5.5"},
		{"udp", "", "127.0.0.1", "127.0.0.2"},
		{"udp", "", "::1", "::1"},
		{"udp6", "::", "::1", "::1"},
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			server := udp(t, tc.network, tc.host)
			client := udp(t, "udp", tc.client)
			asked := netip.AddrPortFrom(netip.MustParseAddr(tc.asked), uint16(portOf(server)))
			if got := exchange(t, New(server), client, asked); got != asked {
				t.Errorf("the answer came from %v, want %v", got, asked)
			}
		})
	}
}

// A client that asks two addresses from one socket gets each answer from its own, also
// for datagrams that were in the queue before the first read.
func TestOneClientTwoAddresses(t *testing.T) {
	server := udp(t, "udp4", "0.0.0.0")
	client := udp(t, "udp4", "127.0.0.1")
	c := New(server)
	asked := []string{"127.0.0.2", "127.0.0.3", "127.0.0.2"}
	for _, host := range asked {
		if _, err := client.WriteToUDPAddrPort([]byte(host), netip.AddrPortFrom(netip.MustParseAddr(host), uint16(portOf(server)))); err != nil {
			t.Fatal(err)
		}
	}
	var clients []*net.UDPAddr
	b := make([]byte, 64)
	for range asked {
		_, from, err := c.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, from)
	}
	for i, host := range slices.Backward(asked) {
		if _, err := c.WriteTo([]byte(host), clients[i]); err != nil {
			t.Fatal(err)
		}
		n, from, err := client.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != host || from.Addr().String() != host {
			t.Errorf("the answer %q came from %v, %v", b[:n], from, err)
		}
	}
}

// The address is the one that package net returns, and another of the same value is
// written to as package net does.
func TestAddressIsThatOfPackageNet(t *testing.T) {
	for _, network := range []string{"udp", "udp4", "udp6"} {
		server, client := udp(t, network, ""), udp(t, network, "")
		loopback := netip.MustParseAddr("127.0.0.1")
		if network == "udp6" {
			loopback = netip.IPv6Loopback()
		}
		asked := netip.AddrPortFrom(loopback, uint16(portOf(server)))
		b := make([]byte, 64)
		_, _ = client.WriteToUDPAddrPort([]byte("1"), asked)
		_, want, err := server.ReadFromUDP(b)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = client.WriteToUDPAddrPort([]byte("2"), asked)
		c := New(server)
		_, got, err := c.ReadFrom(b)
		if err != nil || len(got.IP) != len(want.IP) || cap(got.IP) != cap(want.IP) || !got.IP.Equal(want.IP) || got.Port != want.Port || got.Zone != want.Zone {
			t.Errorf("%s: %#v, %v, want %#v", network, got, err, want)
		}
		other := *got
		if n, err := c.WriteTo([]byte("to another"), &other); err != nil || n != len("to another") {
			t.Errorf("%s: write to an equal address: %d, %v", network, n, err)
		}
		if _, err := c.WriteTo(nil, nil); err == nil {
			t.Errorf("%s: a write to nobody works", network)
		}
	}
}

// Where the kernel refuses the source, the datagram goes out as from package net.
func TestSourceThatIsGone(t *testing.T) {
	server, client := udp(t, "udp4", "0.0.0.0"), udp(t, "udp4", "127.0.0.1")
	c, to := New(server), client.LocalAddr().(*net.UDPAddr)
	c.keep(to, destination{addr: netip.MustParseAddr("192.0.2.1")}) // TEST-NET-1, nobody's
	if n, err := c.WriteTo([]byte("answer"), to); n != len("answer") || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
	b := make([]byte, 64)
	if n, _, err := client.ReadFromUDP(b); string(b[:n]) != "answer" || err != nil {
		t.Errorf("got %q, %v", b[:n], err)
	}
}

// Nothing is kept for an address that the program no longer has.
func TestDestinationsAreForgotten(t *testing.T) {
	server, client := udp(t, "udp4", "0.0.0.0"), udp(t, "udp4", "127.0.0.1")
	c := New(server)
	asked := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), uint16(portOf(server)))
	for range 100 {
		exchange(t, c, client, asked)
	}
	for begin := time.Now(); ; {
		runtime.GC()
		kept := 0
		c.dests.Range(func(any, any) bool { kept++; return true })
		if kept == 0 {
			return
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%d destinations are kept", kept)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSpecificAddressesNeedNothing(t *testing.T) {
	if New(udp(t, "udp4", "127.0.0.1")) != nil {
		t.Error("a conn on one address answers from that address anyway")
	}
}

// An answer can't come from a multicast address, nor from one that isn't told.
func TestParse(t *testing.T) {
	for name, control := range map[string][]byte{
		"nothing":   nil,
		"half":      destination{addr: netip.MustParseAddr("127.0.0.2")}.control(false)[:20],
		"multicast": destination{addr: netip.MustParseAddr("224.0.0.251")}.control(false),
		"v6":        destination{addr: netip.MustParseAddr("ff02::fb")}.control(true),
		"zero":      destination{addr: netip.MustParseAddr("::")}.control(true),
	} {
		if d, ok := parse(control); ok {
			t.Errorf("%s: %v", name, d)
		}
	}
	for _, addr := range []string{"127.0.0.2", "fe80::1", "::1", "::ffff:127.0.0.2"} {
		a := netip.MustParseAddr(addr)
		if d, ok := parse(destination{a, 7}.control(!a.Is4())); !ok || d.addr != a || d.ifindex != 7 && a.IsLinkLocalUnicast() {
			t.Errorf("%s: %v, %v", addr, d, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(destination{addr: netip.MustParseAddr("127.0.0.2")}.control(false))
	f.Add(destination{addr: netip.MustParseAddr("fe80::1"), ifindex: 2}.control(true))
	f.Fuzz(func(t *testing.T, control []byte) {
		if d, ok := parse(control); ok && (!d.addr.IsValid() || d.addr.Unmap().IsMulticast()) {
			t.Errorf("%v of % x", d, control)
		}
	})
}

// BenchmarkExchange compares a question and its answer with package net's.
func BenchmarkExchange(b *testing.B) {
	for _, ours := range []bool{false, true} {
		b.Run(fmt.Sprintf("ours=%v", ours), func(b *testing.B) {
			server, client := udp(b, "udp4", "0.0.0.0"), udp(b, "udp4", "127.0.0.1")
			read, write := server.ReadFromUDP, server.WriteToUDP
			if c := New(server); ours {
				read, write = c.ReadFrom, c.WriteTo
			}
			_ = server.SetDeadline(time.Time{})
			_ = client.SetDeadline(time.Time{})
			to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(portOf(server)))
			buf := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = client.WriteToUDPAddrPort(buf, to)
				_, from, _ := read(buf)
				_, _ = write(buf, from)
				_, _, _ = client.ReadFromUDPAddrPort(buf)
			}
		})
	}
}
