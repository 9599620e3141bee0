//go:build linux

package rotaquic

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"
)

// spy is the conn of a worker, and looks at what quic-go writes.
type spy struct {
	*packetConn
	segmented, marked atomic.Int64 // writes of several packets, and with ECN
}

func (s *spy) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_UDP && m.Header.Type == unix.UDP_SEGMENT {
			s.segmented.Add(1)
		}
		if m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TOS {
			s.marked.Add(1)
		}
	}
	return s.packetConn.WriteMsgUDP(b, oob, addr)
}

// quic-go uses segmentation offload and ECN on our conn, as on a *net.UDPConn, also for a connection whose packets another
// worker reads.
func TestOffload(t *testing.T) {
	s := newSite(t)
	reads, has := s.worker(0, draining), &spy{packetConn: s.worker(1, serving)}
	reads.setReads(true)
	tr := &quic.Transport{Conn: has, ConnectionIDGenerator: &generator{keys: s.keys, place: place{1, 1}}}
	defer tr.Close()
	ln, err := tr.Listen(certificate(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const size = 4 << 20
	go func() {
		c, err := ln.Accept(context.Background())
		if err != nil {
			return
		}
		stream, err := c.OpenUniStream()
		if err == nil {
			_, _ = stream.Write(make([]byte, size))
			_ = stream.Close()
		}
	}()
	c, err := quic.DialAddr(t.Context(), s.socket.LocalAddr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"echo"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseWithError(0, "")
	stream, err := c.AcceptUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, stream); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if has.segmented.Load() == 0 || has.marked.Load() == 0 || has.taken.Load() == 0 {
		t.Errorf("%d writes of several packets, %d with ECN, %d packets were passed on", has.segmented.Load(), has.marked.Load(), has.taken.Load())
	}
}
