//go:build linux

package rotaquic

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
)

// A packet of a worker that is gone is answered from the address that it was sent to, and is nothing to quic-go.
func TestOrphan(t *testing.T) {
	s := newSiteAt(t, net.IPv4zero)
	raw, err := s.socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1) })
	if err != nil {
		t.Fatal(err)
	}
	reads := s.worker(0, serving)
	reads.setReads(true)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: s.socket.LocalAddr().(*net.UDPAddr).Port} // not what the routes choose
	client, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, to)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, text := range []string{"too few", "as many bytes as a ping has", string(make([]byte, 1000))} {
		if _, err := client.Write(s.packetFor(1, text)); err != nil { // nobody has been there
			t.Fatal(err)
		}
	}
	_ = client.SetReadDeadline(time.Now().Add(e2etest.Stuck))
	b := make([]byte, 100)
	for _, want := range []int{23, 42, 42} {
		if n, err := client.Read(b); n != want || err != nil {
			t.Errorf("an answer of %d bytes, %v, want %d", n, err, want)
		}
	}
	if n := len(reads.packets); n != 0 {
		t.Errorf("quic-go gets %d packets", n)
	}
}
