//go:build linux

package rotaquic

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
)

// batch is how many packets are read from the socket at once.
const batch = 16

// waiting is how many packets wait for quic-go. What comes then waits in the kernel.
const waiting = 256

// errorPause is how long a read waits after an error of the socket, which comes again.
const errorPause = 10 * time.Millisecond

// packetConn is what quic-go reads this worker's packets from: those that this worker reads from the
// socket, which it shares, and those that other workers read and pass on. All writes go to the socket.
type packetConn struct {
	*net.UDPConn          // owned: a descriptor of this process, which no drain closes
	queue        *os.File // owned: what others pass on
	router       router
	queues       *queues // owned: of all members

	packets  chan *slot
	free     sync.Pool // of *slot
	readers  sync.WaitGroup
	closing  sync.Once
	closed   chan struct{}
	deadline deadline

	reading sync.Mutex // held while packets are read from the socket and not yet at their workers
	mu      sync.Mutex
	reads   bool          // from the socket
	retired bool          // never again
	changed chan struct{} // closed, and replaced, when reads changes

	passed, taken, lost atomic.Int64 // packets for others, from others, and for others whose queue was full
}

// slot is a packet and the memory that it is in.
type slot struct {
	packet
	buffer [maxPassed]byte
	oob    [maxControl]byte
}

// newPacketConn owns what it is given. It reads nothing from the socket yet.
func newPacketConn(socket *net.UDPConn, queue *os.File, r router, q *queues) *packetConn {
	c := &packetConn{
		UDPConn: socket, queue: queue, router: r, queues: q,
		packets: make(chan *slot, waiting), closed: make(chan struct{}), changed: make(chan struct{}),
	}
	c.free.New = func() any { return &slot{} }
	c.readers.Go(c.readQueue)
	c.readers.Go(c.readSocket)
	return c
}

func (c *packetConn) newSlot() *slot { return c.free.Get().(*slot) }

// readQueue takes what other workers pass on.
func (c *packetConn) readQueue() {
	for {
		s := c.newSlot()
		n, err := c.queue.Read(s.buffer[:])
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err == nil {
			s.packet, err = parsePassed(s.buffer[:n])
		}
		if err != nil {
			c.free.Put(s)
			continue // a datagram of a release that does it in another way
		}
		c.taken.Add(1)
		c.deliver(s)
	}
}

// deliver gives a packet to quic-go.
func (c *packetConn) deliver(s *slot) {
	select {
	case c.packets <- s:
	case <-c.closed:
	}
}

// readSocket takes packets from the socket while it may, and passes on those of others.
func (c *packetConn) readSocket() {
	r := socketReader{in: ipv4.NewPacketConn(c.UDPConn), messages: make([]ipv4.Message, batch)} // reads IPv6 too
	for c.awaitReads() {
		c.reading.Lock()
		err := r.read(c)
		c.reading.Unlock()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			time.Sleep(errorPause)
		}
	}
}

// socketReader has the memory of the packets that are read at once.
type socketReader struct {
	in       *ipv4.PacketConn
	messages []ipv4.Message
	slots    [batch]*slot
}

// read reads some packets, and gives them to their workers.
func (r *socketReader) read(c *packetConn) error {
	for i := range r.slots {
		if r.slots[i] == nil {
			s := c.newSlot()
			r.slots[i] = s
			r.messages[i].Buffers, r.messages[i].OOB = [][]byte{s.buffer[:maxPacket]}, s.oob[:]
		}
	}
	n, err := r.in.ReadBatch(r.messages, 0)
	for i := range max(n, 0) {
		if c.dispatch(r.slots[i], &r.messages[i]) {
			r.slots[i] = nil
		}
	}
	return err
}

// dispatch gives a packet that was read to its worker. It reports whether that is this one, and s gone.
func (c *packetConn) dispatch(s *slot, m *ipv4.Message) (gone bool) {
	from, ok := m.Addr.(*net.UDPAddr)
	if !ok {
		return false
	}
	s.packet = packet{from: from, control: s.oob[:m.NN], data: s.buffer[:m.N]}
	to, orphan := c.router.route(s.data)
	if orphan {
		c.sendReset(s.packet)
		return false
	}
	if to == c.router.self {
		c.deliver(s)
		return true
	}
	var head [maxControl + 64]byte
	if c.queues.send(to, appendHead(head[:0], s.packet), s.data) {
		c.passed.Add(1)
	} else {
		c.lost.Add(1)
	}
	return false
}

// setReads says whether this worker reads from the socket. A read that is under way may still return packets.
func (c *packetConn) setReads(reads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reads == c.reads || reads && c.retired {
		return
	}
	until := time.Time{}
	if !reads {
		until = time.Unix(1, 0)
	}
	_ = c.UDPConn.SetReadDeadline(until) // fails when it is closed
	c.reads = reads
	close(c.changed)
	c.changed = make(chan struct{})
}

// retire ends the reads from the socket permanently, when what was read is at its workers: at the end of the process it
// would be lost.
func (c *packetConn) retire() {
	c.mu.Lock()
	c.retired = true
	c.mu.Unlock()
	c.setReads(false)
	c.awaitRead()
}

// awaitRead waits for the end of the read from the socket that is under way, and until what it has read is at its workers.
func (c *packetConn) awaitRead() {
	c.reading.Lock()
	c.reading.Unlock() //lint:ignore SA2001 nothing else is to be done
}

// awaitReads waits until this worker reads from the socket, and is false when the conn is closed.
func (c *packetConn) awaitReads() bool {
	for {
		c.mu.Lock()
		reads, changed := c.reads, c.changed
		c.mu.Unlock()
		select {
		case <-c.closed:
			return false
		default:
		}
		if reads {
			return true
		}
		select {
		case <-changed:
		case <-c.closed:
		}
	}
}

// ReadBatch is how quic-go reads.
func (c *packetConn) ReadBatch(ms []ipv4.Message, _ int) (n int, err error) {
	s, err := c.next()
	if err != nil {
		return 0, err
	}
	for {
		m := &ms[n]
		m.N, m.NN = copy(m.Buffers[0], s.data), copy(m.OOB, s.control)
		m.Addr, m.Flags = s.from, 0
		c.free.Put(s)
		if n++; n == len(ms) {
			return n, nil
		}
		select {
		case s = <-c.packets:
		default:
			return n, nil
		}
	}
}

// next waits for a packet.
func (c *packetConn) next() (*slot, error) {
	select {
	case s := <-c.packets:
		return s, nil
	case <-c.deadline.over():
		return nil, os.ErrDeadlineExceeded
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

// ReadMsgUDP is as ReadBatch.
func (c *packetConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	s, err := c.next()
	if err != nil {
		return 0, 0, 0, nil, err
	}
	defer c.free.Put(s)
	return copy(b, s.data), copy(oob, s.control), 0, s.from, nil
}

// ReadFrom is as ReadBatch.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, _, _, addr, err := c.ReadMsgUDP(b, nil)
	if err != nil {
		return 0, nil, err
	}
	return n, addr, nil
}

// SetReadDeadline is about the reads of quic-go.
func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.deadline.set(t)
	return nil
}

// SetDeadline is SetReadDeadline: a write doesn't wait.
func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Close ends all reads.
func (c *packetConn) Close() (err error) {
	c.closing.Do(func() {
		close(c.closed)
		_ = c.queue.Close()
		err = c.UDPConn.Close()
		c.readers.Wait()
		c.queues.close()
	})
	return err
}
