//go:build linux

package bind

import (
	"net"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/descriptor"
)

// Another program's socket at the same address is in the way of one in the place of a socket
// that was shut down, and the other way round.
func TestInPlaceIsAlone(t *testing.T) {
	first, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	fd, err := descriptor.DupOf(first)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	second, err := Options{}.ListenPacketInPlace(t.Context(), "udp", first.LocalAddr().String(), fd)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	reuse := func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(n uintptr) { err = syscall.SetsockoptInt(int(n), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
		if cerr != nil {
			return cerr
		}
		return err
	}
	if c, err := (&net.ListenConfig{Control: reuse}).ListenPacket(t.Context(), "udp", first.LocalAddr().String()); err == nil {
		c.Close()
		t.Error("a stranger may bind at the same address")
	}
}
