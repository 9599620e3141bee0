//go:build linux

package rotaquic

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/sharedfile"
)

// site is the workers of one address, all in this process.
type site struct {
	t      *testing.T
	asking sync.Mutex // of queues: a master is asked by one at a time
	queues sharedfile.Table
	table  *table
	keys   keys
	socket *net.UDPConn
}

func newSite(t *testing.T) *site { return newSiteAt(t, net.IPv4(127, 0, 0, 1)) }

func newSiteAt(t *testing.T, ip net.IP) *site {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, table: newTestTable(), keys: testKeys(t, 1), socket: socket}
	t.Cleanup(func() { socket.Close(); s.queues.Close() })
	return s
}

func (s *site) open(index uint8) (*os.File, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	fd, err := s.queues.OpenQueue(fmt.Sprint(index))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd.Take()), "queue"), nil
}

// worker adds a worker.
func (s *site) worker(index uint8, now state) *packetConn {
	s.t.Helper()
	s.table.set(member{place{index, 1}, 1, now})
	queue, err := s.open(index)
	if err == nil {
		err = empty(queue)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	udp, err := duplicate(s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	c := newPacketConn(udp, queue, router{s.keys, s.table, index}, &queues{open: s.open})
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *site) client() *net.UDPConn {
	s.t.Helper()
	c, err := net.DialUDP("udp4", nil, s.socket.LocalAddr().(*net.UDPAddr))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// packetFor returns a packet of a connection that the worker has.
func (s *site) packetFor(index uint8, text string) []byte {
	id := s.keys.encode(place{index, 1}, 1)
	return append(append([]byte{0x40}, id[:]...), text...)
}

// next returns the next packet that quic-go would get.
func next(t *testing.T, c *packetConn) ipv4.Message {
	t.Helper()
	m := []ipv4.Message{{Buffers: [][]byte{make([]byte, maxPacket)}, OOB: make([]byte, maxControl)}}
	timer := time.AfterFunc(20*time.Second, func() { c.SetReadDeadline(time.Unix(1, 0)) })
	defer timer.Stop()
	if n, err := c.ReadBatch(m, 0); n != 1 || err != nil {
		t.Fatalf("%d packets, %v", n, err)
	}
	return m[0]
}

// A packet that another worker has read is as one that the worker has read itself: with the address of the client,
// and the control messages (ECN here).
func TestPassedOn(t *testing.T) {
	s := newSite(t)
	raw, err := s.socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVTOS, 1) })
	if err != nil {
		t.Fatal(err)
	}
	reads, has := s.worker(0, serving), s.worker(1, draining)
	client := s.client()
	if err := ipv4.NewConn(client).SetTOS(2); err != nil { // ECT(0)
		t.Fatal(err)
	}
	reads.setReads(true)
	var got [2]ipv4.Message
	for i, c := range []*packetConn{reads, has} {
		sent := s.packetFor(uint8(i), "a packet")
		if _, err := client.Write(sent); err != nil {
			t.Fatal(err)
		}
		got[i] = next(t, c)
		if !bytes.Equal(got[i].Buffers[0][:got[i].N], sent) || got[i].Addr.String() != client.LocalAddr().String() {
			t.Errorf("worker %d has %d bytes from %v", i, got[i].N, got[i].Addr)
		}
	}
	if a, b := got[0].OOB[:got[0].NN], got[1].OOB[:got[1].NN]; !bytes.Equal(a, b) || len(a) == 0 {
		t.Errorf("control messages are %x, and passed on %x", a, b)
	}
	e2etest.WaitFor(t, "a packet to be counted", func() bool { return reads.passed.Load() > 0 })
	if reads.passed.Load() != 1 || has.taken.Load() != 1 || reads.lost.Load() != 0 {
		t.Errorf("%d were passed on, %d taken, %d lost", reads.passed.Load(), has.taken.Load(), reads.lost.Load())
	}
	// the answer comes from the socket that the client has sent to
	if _, _, err := has.WriteMsgUDP([]byte("answer"), nil, got[1].Addr.(*net.UDPAddr)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := client.Read(b); string(b[:n]) != "answer" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
}

// A worker whose queue is full loses packets, and holds up nobody.
func TestFullQueue(t *testing.T) {
	s := newSite(t)
	reads := s.worker(0, serving)
	s.table.set(member{place{1, 1}, 1, serving}) // and reads nothing
	from := s.client()
	big := s.packetFor(1, string(make([]byte, 1200)))
	m := &ipv4.Message{Addr: from.LocalAddr()}
	for reads.lost.Load() == 0 {
		sl := &slot{}
		m.N = copy(sl.buffer[:], big)
		reads.dispatch(sl, m)
		if reads.passed.Load() > 100_000 {
			t.Fatal("the queue has no end")
		}
	}
	t.Logf("a queue has room for %d packets", reads.passed.Load())
	reads.setReads(true)
	if _, err := from.Write(s.packetFor(0, "mine")); err != nil {
		t.Fatal(err)
	}
	next(t, reads)
	// the next worker of the place begins with an empty queue
	successor := s.worker(1, serving)
	if _, err := from.Write(s.packetFor(1, "new")); err != nil {
		t.Fatal(err)
	}
	if m := next(t, successor); m.N != len(s.packetFor(1, "new")) {
		t.Errorf("the first packet has %d bytes", m.N)
	}
}

// A worker reads from the socket when it is told to, and leaves it when it is told so; what it has read then is
// passed on before retire returns.
func TestReads(t *testing.T) {
	s := newSite(t)
	a, b := s.worker(0, serving), s.worker(1, serving)
	client := s.client()
	for i := range 10 {
		reader, other := a, b
		if i%2 == 1 {
			reader, other = b, a
		}
		other.setReads(false)
		other.awaitRead()
		if _, err := client.Write(s.packetFor(1, "for b")); err != nil {
			t.Fatal(err)
		}
		reader.setReads(true)
		next(t, b)
		want := int64(i/2 + 1) // a passes on what it reads
		e2etest.WaitFor(t, "the packet to be counted", func() bool { return a.passed.Load() >= want })
		if a.passed.Load() != want || b.passed.Load() != 0 {
			t.Errorf("round %d: %d and %d packets were passed on", i, a.passed.Load(), b.passed.Load())
		}
	}
	a.retire()
	b.retire()
	b.setReads(true)
	if _, err := client.Write(s.packetFor(1, "nobody reads")); err != nil {
		t.Fatal(err)
	}
	b.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := b.ReadBatch(make([]ipv4.Message, 1), 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a retired worker reads: %v", err)
	}
}

// Close ends what waits, and closes the descriptors.
func TestCloseEndsReads(t *testing.T) {
	s := newSite(t)
	c := s.worker(0, serving)
	c.setReads(true)
	ended := make(chan error)
	go func() {
		_, err := c.ReadBatch(make([]ipv4.Message, 1), 0)
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.queue.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the queue is open: %v", err)
	}
}
