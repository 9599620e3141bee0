package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// packetLinger is how long a worker that leaves, and has no datagram in hand that it
// knows of, may still write: for programs that answer on a goroutine of its own.
const packetLinger = 250 * time.Millisecond

// packet is what this package adds to a packet conn of package net: readiness, and
// the drain. In a drain it reads nothing more: what waits in the socket's queue is
// the other workers'. It writes until the worker has left.
//
// A read that finds the drain begun doesn't fail; it blocks until the worker has
// left, as Accept does, so that a main that ends when ReadFrom fails doesn't take the
// answers under way with it.
type packet struct {
	inner  packetSocket // owned
	worker *Worker
	id     int    // of the master's socket; 0: the master doesn't know it
	own    string // names such a one

	first   sync.Once
	closing sync.Once
	closed  chan struct{} // the program has closed it
	reading atomic.Int64  // reads that are in the hands of package net

	mu       sync.Mutex
	stopped  bool          // the drain has begun: the inner deadline is past
	deadline time.Time     // for reading, as the program has set it
	changed  chan struct{} // closed, and replaced, when deadline changes
	inHand   int           // datagrams that were read, and whose reader has not come back
	last     time.Time     // when one was read or dealt with
}

// packetSocket is what *net.UDPConn, *net.UnixConn and *net.IPConn have in common.
type packetSocket interface {
	net.PacketConn
	net.Conn
	syscall.Conn
}

// read runs one read of the inner conn, which f is. It returns f's error.
func (p *packet) read(f func() error) error {
	p.begin()
	for {
		p.reading.Add(1)
		err := f()
		p.reading.Add(-1)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !p.hold() {
			p.end(err)
			return err
		}
	}
}

// begin is called as a reader asks for more: the datagram that it had is dealt with.
func (p *packet) begin() {
	p.first.Do(p.accepting)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand = max(p.inHand-1, 0)
	if p.stopped {
		p.last = time.Now()
	}
}

func (p *packet) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.inHand++
		p.last = time.Now()
	}
}

// accepting tells the master that the program reads here.
func (p *packet) accepting() { p.worker.accepting(p.id, p.own, p.closed) }

// hold keeps a reader that has nothing to wait for until the worker has left or the
// program has closed the conn. It reports whether to read again, which fails then.
// False means that the time-out was the program's own.
func (p *packet) hold() (again bool) {
	for {
		deadline, changed, stopped := p.waiting()
		if !stopped {
			return false
		}
		timer := time.NewTimer(untilOrNever(deadline))
		select {
		case <-p.worker.drain.over:
			_ = p.inner.Close()
			again = true
		case <-p.closed:
			again = true
		case <-timer.C:
		case <-changed:
			timer.Stop()
			continue
		}
		timer.Stop()
		return again
	}
}

func (p *packet) waiting() (time.Time, <-chan struct{}, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deadline, p.changed, p.stopped
}

const never = 1<<63 - 1

func untilOrNever(t time.Time) time.Duration {
	if t.IsZero() {
		return never
	}
	return time.Until(t)
}

// longAgo is a deadline that is over.
var longAgo = time.Unix(1, 0)

// stop and busy are drain's source. The inner conn stays open, for answers, until
// the worker has left.
func (p *packet) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	_ = p.inner.SetReadDeadline(longAgo) // fails where the program has just closed it
	setNonblock(p.inner)
	untilFree(func() bool { return p.reading.Load() == 0 })
	go func() {
		select {
		case <-p.worker.drain.over:
			_ = p.inner.Close()
		case <-p.closed:
		}
	}()
}

func (p *packet) busy() bool {
	select {
	case <-p.closed:
		return false
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inHand > 0 || time.Since(p.last) < packetLinger
}

// Close closes this process's copy of the socket. The others keep theirs.
func (p *packet) Close() error {
	err := closeShared(p.inner)
	p.closing.Do(func() {
		close(p.closed)
		p.worker.drain.removeSource(p)
		if p.worker.drain.draining.Load() {
			err = nil // the drain may have been first; the program could not know
			return
		}
		if p.id > 0 {
			_ = p.worker.send(wire.Closed, wire.ClosedBody{ID: p.id})
		}
	})
	return err
}

// Read reads a datagram.
func (p *packet) Read(b []byte) (n int, err error) {
	err = p.read(func() error { n, err = p.inner.Read(b); return err })
	return n, err
}

// ReadFrom reads a datagram. While the worker drains it blocks until the worker has
// left or the program closes the conn; then, and after Close, the error is
// net.ErrClosed.
func (p *packet) ReadFrom(b []byte) (n int, addr net.Addr, err error) {
	err = p.read(func() error { n, addr, err = p.inner.ReadFrom(b); return err })
	return n, addr, err
}

// SetReadDeadline sets the time after which reads fail with os.ErrDeadlineExceeded,
// also those that a drain has blocked.
func (p *packet) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		if err := p.inner.SetReadDeadline(t); err != nil {
			return err
		}
	}
	p.deadline = t
	close(p.changed)
	p.changed = make(chan struct{})
	return nil
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (p *packet) SetDeadline(t time.Time) error {
	if err := p.inner.SetWriteDeadline(t); err != nil {
		return err
	}
	return p.SetReadDeadline(t)
}

// SyscallConn gives access to the descriptor. The socket is shared: what is set on it
// is set for every worker.
func (p *packet) SyscallConn() (syscall.RawConn, error) {
	raw, err := p.inner.SyscallConn()
	if err != nil {
		return nil, err
	}
	return packetRaw{raw, p}, nil
}

// packetRaw is a RawConn that reads as the conn does.
type packetRaw struct {
	syscall.RawConn
	p *packet
}

func (r packetRaw) Read(f func(fd uintptr) (done bool)) error {
	return r.p.read(func() error { return r.RawConn.Read(f) })
}

// File returns a copy of the socket that is the caller's to close. It is not quite
// that of package net: its Fd leaves the socket non-blocking, which is shared.
func (p *packet) File() (*os.File, error) { return fileOf(p.inner, p.inner.LocalAddr()) }

// ownOnly runs f on a socket that no other process has.
func (p *packet) ownOnly(op string, f func() error) error {
	if p.id == 0 {
		return f()
	}
	return &net.OpError{Op: op, Net: p.inner.LocalAddr().Network(), Addr: p.inner.LocalAddr(),
		Err: fmt.Errorf("it would end the socket of every worker: %w", errors.ErrUnsupported)}
}
