//go:build linux

package sockets

import (
	"net"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// A socket that one holder has shut down serves the next one that asks: a TCP socket listens
// again, a unix socket is bound anew.
func TestShutDown(t *testing.T) {
	for _, r := range []bind.Request{{Network: "tcp", Address: "127.0.0.1:0"}, {Network: "unix", Address: t.TempDir() + "/s"}, {Network: "unixgram", Address: t.TempDir() + "/s", Packet: true}} {
		d := newTestServer(t)
		d.Open = Open
		ask := func(holder int) (s Socket) {
			t.Helper()
			d.Ask(t.Context(), Caller{holder, 1}, r, Terms{})
			d.run()
			for s = range d.Sockets() {
			}
			return s
		}
		first := ask(1)
		if err := syscall.Shutdown(first.FD.Int(), syscall.SHUT_RD); err != nil {
			t.Fatal(err)
		}
		again := ask(2)
		if again.Addr.String() != first.Addr.String() || (again.ID == first.ID) != (r.Network == "tcp") {
			t.Errorf("%s: socket %d at %v, after %d at %v", r.Network, again.ID, again.Addr, first.ID, first.Addr)
		}
		c, err := net.Dial(r.Network, first.Addr.String())
		if err != nil {
			t.Errorf("%s: %v", r.Network, err)
			continue
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Errorf("%s: %v", r.Network, err)
		}
		c.Close()
	}
}
