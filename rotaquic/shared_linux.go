//go:build linux

package rotaquic

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/worker"
)

// How often a worker looks which others have died, and when it drains whether any serves.
const (
	lookEvery         = time.Second
	lookEveryDraining = 100 * time.Millisecond
)

// What a worker without connections does for others, before it leaves.
const (
	lookEveryPassing = 10 * time.Millisecond
	// quietTime is how long nothing has come for others when a worker leaves whose socket gets nothing any more, as when
	// there are fewer slots; or in a stop, of which the others have not been told yet.
	quietTime = time.Second
)

// shared is this worker's part of an address that all workers serve.
type shared struct {
	socket net.PacketConn // rota's: it keeps the socket open in the master. The owner of shared closes it.
	memory *memory
	conn   *packetConn

	mu   sync.Mutex // of self.state, and its order in memory
	self member

	drains  chan struct{} // closed by drain
	closing sync.Once
	closed  chan struct{}
	looking sync.WaitGroup
}

// share makes this worker a member of those that serve an address. socket is one of rota.ListenPacket's; it stays the
// caller's if share fails.
func share(w *worker.Worker, address string, socket net.PacketConn, t *quic.Transport) (*shared, error) {
	name := "rotaquic 1 " + addressOf(address, socket)
	f, err := w.SharedFile(name, tableSize)
	if err != nil {
		return nil, err
	}
	m, err := mapMemory(f)
	if err != nil {
		return nil, err
	}
	s := &shared{socket: socket, memory: m, drains: make(chan struct{}), closed: make(chan struct{})}
	if err := s.join(w, name, t); err != nil {
		m.close()
		return nil, err
	}
	s.lookOnce()
	s.looking.Go(s.look)
	return s, nil
}

// addressOf returns what names a socket's table: the address that was asked for, or the socket's own where the kernel has
// chosen the port. A worker may have several of those for one request.
func addressOf(asked string, socket net.PacketConn) string {
	_, port, err := net.SplitHostPort(asked)
	if err != nil {
		return socket.LocalAddr().String() // the empty address
	}
	if n, err := net.LookupPort("udp", port); err == nil && n == 0 {
		return socket.LocalAddr().String()
	}
	return asked
}

// join takes a place, and sets the transport up for it.
func (s *shared) join(w *worker.Worker, name string, t *quic.Transport) error {
	secret, err := s.memory.secretOf()
	if err != nil {
		return err
	}
	k, err := newKeys(secret)
	if err != nil {
		return err
	}
	if s.self, err = s.memory.take(w.Generation()); err != nil {
		return err
	}
	open := func(index uint8) (*os.File, error) { return w.SharedQueue(queueName(name, index)) }
	queue, err := open(s.self.index)
	if err == nil {
		err = empty(queue)
	}
	if err != nil {
		return err
	}
	udp, err := duplicate(s.socket)
	if err != nil {
		_ = queue.Close() // nothing was written to it
		return err
	}
	s.memory.sockets[s.self.index].Store(cookie(udp))
	s.conn = newPacketConn(udp, queue, router{k, s.memory.table, s.self.index}, &queues{open: open})
	t.Conn, t.ConnectionIDGenerator = s.conn, &generator{keys: k, place: s.self.place}
	t.StatelessResetKey, t.TokenGeneratorKey = &k.resets, &k.token
	return nil
}

// duplicate returns a conn of the same socket that no drain closes.
func duplicate(socket net.PacketConn) (*net.UDPConn, error) {
	filer, ok := socket.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.ErrUnsupported
	}
	f, err := filer.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pc, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	if udp, ok := pc.(*net.UDPConn); ok {
		return udp, nil
	}
	_ = pc.Close() // nothing was written to it
	return nil, errors.ErrUnsupported
}

// cookie returns the number that the kernel gives a socket. Before Linux 4.12 it is 0, as if all workers had one.
func cookie(c *net.UDPConn) (n uint64) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) { n, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE) })
	if err != nil {
		return 0
	}
	return n
}

// serve begins to read from the socket, and takes new connections. It tells the master so by a read that ends at once;
// the read waits while the socket is left to the worker's predecessor.
func (s *shared) serve() {
	_ = s.socket.SetReadDeadline(time.Unix(1, 0))
	_, _, _ = s.socket.ReadFrom(make([]byte, 1)) // os.ErrDeadlineExceeded
	s.conn.queues.prepare(s.memory.table)
	if s.enter(serving) {
		s.conn.setReads(true)
	}
}

// drain leaves new connections and the socket to the workers that serve.
func (s *shared) drain() {
	if s.enter(draining) {
		close(s.drains) // look goes on from here
		s.chooseReads()
	}
}

// leave says that no handshake is under way.
func (s *shared) leave() { s.enter(leaving) }

// enter says what this worker does now. It is false if the worker is beyond that.
func (s *shared) enter(now state) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.self.state == absent || now != absent && now <= s.self.state {
		return false
	}
	s.self.state = now
	s.memory.set(s.self)
	return true
}

// passOn is called when no connection is open. It returns when no connection of another worker gets its packets through the
// socket of this one, or when ctx ends.
func (s *shared) passOn(ctx context.Context) {
	s.enter(passing)
	last, since := int64(-1), time.Time{}
	for ctx.Err() == nil {
		if n := s.conn.passed.Load() + s.conn.lost.Load(); n != last {
			last, since = n, time.Now()
		}
		n := s.memory.needOf(s.self.index)
		if n == nobody || n == servers && time.Since(since) > quietTime {
			return
		}
		sleep(ctx, lookEveryPassing)
	}
}

// retire leaves the socket to others permanently.
func (s *shared) retire() { s.conn.retire() }

// isReplacing reports whether other workers of this one's generation are being replaced, too.
func (s *shared) isReplacing() bool { return s.memory.isReplacing(s.self.generation) }

// look runs until the worker closes s.
func (s *shared) look() {
	every, drains := lookEvery, s.drains
	for {
		select {
		case <-time.After(every):
		case <-drains:
			every, drains = lookEveryDraining, nil
		case <-s.closed:
			return
		}
		s.lookOnce()
	}
}

// lookOnce removes workers that have died, and decides before the first Accept and in a drain whether to read from the socket.
func (s *shared) lookOnce() {
	s.memory.reap(func(m uint8) bool { return m == s.self.index || s.memory.locked(m) })
	s.conn.queues.prepare(s.memory.table)
	select {
	case <-s.drains:
		s.chooseReads()
	default:
		s.readForOthers()
	}
}

// readForOthers reads before the first Accept, and takes no new connection, if other workers get packets through the socket
// of this one and nobody else reads it: that of a slot that was added, or whose worker has died.
func (s *shared) readForOthers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.self.state == starting && s.memory.needOf(s.self.index) != nobody {
		s.conn.setReads(true)
	}
}

// chooseReads leaves the socket in a drain to a worker that serves and has the same one, if there is one.
func (s *shared) chooseReads() { s.conn.setReads(!s.memory.isServed(s.self.index)) }

// close gives the place up. No connection is open.
func (s *shared) close() {
	s.closing.Do(func() {
		close(s.closed)
		s.looking.Wait()
		s.enter(absent)
		_ = s.conn.Close() // what it has written is written
		s.memory.close()
	})
}
