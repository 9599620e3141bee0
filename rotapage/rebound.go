package rotapage

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// isRebound reports whether a request has come to a loopback address by a name that isn't this host's. To a browser a page of
// another site whose name stands for 127.0.0.1 by now (DNS rebinding) is of the same origin as this one.
func isRebound(r *http.Request) bool {
	to, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if to == nil || !isLoopback(to.String()) {
		return false
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost")
}

// isLoopback reports whether an address with a port is of this host alone.
func isLoopback(address string) bool {
	a, err := netip.ParseAddrPort(address)
	return err == nil && a.Addr().Unmap().IsLoopback()
}
