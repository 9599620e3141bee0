// Package match decides whether a socket that is open already, such as one of a supervisor, is the one that a request means.
package match

import (
	"context"
	"net"
	"strings"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/socketfile"
)

// Address returns the address that net.Listen would bind; nil if it would bind none, and
// for port 0, to which no socket is bound.
func Address(ctx context.Context, r bind.Request) net.Addr {
	if bind.IsPath(r.Network, r.Address) {
		return &net.UnixAddr{Name: socketfile.Path(r), Net: r.Network}
	}
	if strings.HasPrefix(r.Network, "unix") {
		return &net.UnixAddr{Name: r.Address, Net: r.Network} // an abstract name
	}
	host, port, err := net.SplitHostPort(r.Address)
	if err != nil {
		return nil
	}
	n, err := net.DefaultResolver.LookupPort(ctx, r.Network, port)
	if err != nil || n == 0 {
		return nil
	}
	ip, err := net.ResolveIPAddr("ip"+strings.TrimLeft(r.Network, "tcpud"), host)
	if err != nil {
		return nil
	}
	return &net.TCPAddr{IP: ip.IP, Port: n, Zone: ip.Zone}
}

// Serves reports whether a socket bound to has is the one that a request for want, an Address, means.
func Serves(network string, has, want net.Addr) bool {
	if w, ok := want.(*net.UnixAddr); ok {
		h, ok := has.(*net.UnixAddr)
		return ok && h.Net == network && h.Name == w.Name
	}
	w := want.(*net.TCPAddr)
	switch h := has.(type) {
	case *net.TCPAddr:
		return strings.HasPrefix(network, "tcp") && h.Port == w.Port && h.Zone == w.Zone && sameIP(network, h.IP, w.IP)
	case *net.UDPAddr:
		return strings.HasPrefix(network, "udp") && h.Port == w.Port && h.Zone == w.Zone && sameIP(network, h.IP, w.IP)
	}
	return false
}

// sameIP reports whether has and want are the same IP address. Where the network doesn't
// name a family, the wildcard addresses of both families are the same: a second socket
// couldn't be bound beside the first.
func sameIP(network string, has, want net.IP) bool {
	family := network[len(network)-1]
	if family == '4' && has.To4() == nil || family == '6' && has.To4() != nil {
		return false
	}
	if want == nil || want.IsUnspecified() {
		return has.IsUnspecified()
	}
	return has.Equal(want)
}
