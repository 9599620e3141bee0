package match

import (
	"context"
	"net"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// Serves decides which inherited socket a request means.
func TestServes(t *testing.T) {
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 80} }
	udp := func(ip string) net.Addr { return &net.UDPAddr{IP: net.ParseIP(ip), Port: 80} }
	path := func(network, name string) net.Addr { return &net.UnixAddr{Name: name, Net: network} }
	for _, tc := range []struct {
		network, address string
		has              net.Addr
		want             bool
	}{
		{"tcp", "127.0.0.1:80", tcp("127.0.0.1"), true},
		{"tcp", "127.0.0.1:http", tcp("127.0.0.1"), true},
		{"tcp", "localhost:80", tcp("127.0.0.1"), true},
		{"tcp", "127.0.0.1:81", tcp("127.0.0.1"), false},
		{"tcp", "127.0.0.2:80", tcp("127.0.0.1"), false},
		{"tcp", ":80", tcp("127.0.0.1"), false},
		{"tcp", "127.0.0.1:80", tcp("0.0.0.0"), false},
		{"tcp", ":80", tcp("::"), true},
		{"tcp", ":80", tcp("0.0.0.0"), true},
		{"tcp", "0.0.0.0:80", tcp("::"), true},
		{"tcp4", ":80", tcp("0.0.0.0"), true},
		{"tcp4", ":80", tcp("::"), false},
		{"tcp6", ":80", tcp("::"), true},
		{"tcp6", ":80", tcp("0.0.0.0"), false},
		{"tcp6", "[::1]:80", tcp("::1"), true},
		{"tcp", ":0", tcp("::"), false},
		{"tcp", "nonsense", tcp("::"), false},
		{"udp", ":80", tcp("::"), false},
		{"udp", ":80", udp("::"), true},
		{"tcp", ":80", udp("::"), false},
		{"", ":80", tcp("::"), false},
		{"unix", "/s", path("unix", "/s"), true},
		{"unix", "s", path("unix", "/dir/s"), true},
		{"unix", "/s", path("unixpacket", "/s"), false},
		{"unix", "@a:80", path("unix", "@a:80"), true},
		{"unix", "@b", path("unix", "@a"), false},
		{"tcp", "/s", path("unix", "/s"), false},
	} {
		r := bind.Request{Network: tc.network, Address: tc.address, Dir: "/dir"}
		want := Address(context.Background(), r)
		if got := want != nil && Serves(tc.network, tc.has, want); got != tc.want {
			t.Errorf("%s %s served by %T %v: %v, want %v", tc.network, tc.address, tc.has, tc.has, got, tc.want)
		}
	}
}
