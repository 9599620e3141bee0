// Package packetconn has the packet conns that a worker's ListenPacket returns. They are those of
// package net, and part of the worker's readiness and drain.
package packetconn

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/sharedsocket"
)

// packetLinger is how long a draining worker can still write after its readers have asked
// for more: programs may answer a datagram on another goroutine.
const packetLinger = 250 * time.Millisecond

// Owner is the worker that a conn belongs to, as the conn needs it.
type Owner interface {
	// Accepting says that the program reads for the first time. It blocks while the worker
	// leaves the socket to its predecessor, and not after closed is closed.
	Accepting(closed <-chan struct{})
	// Closed says that the program has closed the conn, once. It reports whether the worker
	// drains.
	Closed(Source) (draining bool)
	// Left returns a channel that is closed when the worker has left.
	Left() <-chan struct{}
}

// Source is a conn as the drain of its worker sees it.
type Source interface {
	CloseSource() // nothing is read afterwards
	Busy() bool   // after CloseSource: an answer may still be written
}

// packet is what this package adds to a packet conn of package net: readiness and the
// drain. A draining worker reads what waits in the socket, and then nothing more: later datagrams
// are for the other workers. It can write until it has left.
//
// A read during the drain doesn't fail. It blocks until the worker has left, as Accept
// does, so that a main that ends when ReadFrom fails doesn't end before the answers are
// written.
type packet struct {
	inner  packetSocket // owned
	owner  Owner
	shared bool // other processes have the socket too

	first   sync.Once
	closing sync.Mutex    // held during Close
	closed  chan struct{} // closed by Close

	mu       sync.Mutex
	stopped  bool          // the drain has begun: the inner deadline is past
	shut     bool          // another process has shut the socket down: the same
	deadline time.Time     // for reading, as the program has set it
	changed  chan struct{} // closed, and replaced, when deadline changes
	reading  int           // reads of the inner conn under way
	pending  int           // datagrams that were read, and whose reader has not read again
	timedOut int           // readers whose deadline has passed, and that have not read again
	last     time.Time     // when a datagram was read or dealt with
}

// packetSocket is a *net.UDPConn, a *net.UnixConn or a *net.IPConn.
type packetSocket interface {
	net.PacketConn
	net.Conn
	syscall.Conn
}

// read calls f, a read of the inner conn, and returns its error. In a drain it blocks.
func (p *packet) read(f func() error) error {
	p.first.Do(p.sendAccepting)
	for {
		p.readStarts()
		err := f()
		if p.isShut() {
			err = p.shutError("read")
		}
		p.readEnds(err)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if !p.waitLeft() {
			p.timesOut()
			return err
		}
	}
}

// readStarts records that a reader asks for more: it has dealt with its last datagram, if it had one.
func (p *packet) readStarts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading++
	if p.timedOut > 0 {
		p.timedOut--
		return
	}
	if p.pending == 0 {
		return
	}
	p.pending--
	if p.stopped {
		p.last = time.Now()
	}
}

// timesOut records that a reader has got nothing: when it asks again, it has dealt with no datagram.
func (p *packet) timesOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timedOut++
}

// readEnds records the result of a read. A read that fails because the conn is closed returns
// when Close has told the owner: then the address may be asked for again.
func (p *packet) readEnds(err error) {
	if errors.Is(err, net.ErrClosed) {
		p.closing.Lock()
		defer p.closing.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading-- // together with the next, or a drain could end in between
	if err == nil {
		p.pending++
		p.last = time.Now()
	}
}

// sendAccepting tells the master that the program reads from this socket.
func (p *packet) sendAccepting() {
	if p.shared {
		go p.awaitShutdown()
	}
	p.owner.Accepting(p.closed)
}

// waitLeft blocks a reader in a drain until the worker has left or the program has closed the
// conn. It reports whether to read again, which fails then. If it returns false, the
// time-out was the program's.
func (p *packet) waitLeft() (again bool) {
	for {
		deadline, changed, stopped := p.readState()
		if !stopped {
			return false
		}
		timer := time.NewTimer(untilOrNever(deadline))
		select {
		case <-p.owner.Left():
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

// readState returns the deadline of reads, the channel that is closed when it changes, and
// whether the drain has begun.
func (p *packet) readState() (time.Time, <-chan struct{}, bool) {
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

// longAgo is a deadline in the past.
var longAgo = time.Unix(1, 0)

// restLimit is how long a drain reads what waits in the socket at most, and restLook how often it looks.
const (
	restLimit = time.Second
	restLook  = time.Millisecond
)

// readRest returns when nothing waits in the socket, or the program doesn't read it. Nobody else may: the slot of
// its queue may be gone, or all workers leave. Where others read too, and more comes than all can, it returns after restLimit.
func (p *packet) readRest() {
	for begin := time.Now(); p.isRead() && sharedsocket.Waits(p.inner) && time.Since(begin) < restLimit; {
		time.Sleep(restLook)
	}
}

// isRead reports whether the program has a read under way, or a datagram after which it may read again.
func (p *packet) isRead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.shut && p.reading+p.pending > 0
}

// CloseSource and Busy make packet a Source. The inner conn stays open for writing
// until the worker has left.
func (p *packet) CloseSource() {
	p.readRest()
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	_ = p.inner.SetReadDeadline(longAgo) // fails if the program has just closed it
	sharedsocket.Unblock(p.inner, func() bool { return p.readers() > 0 })
	go func() {
		select {
		case <-p.owner.Left():
			_ = p.inner.Close()
		case <-p.closed:
		}
	}()
}

// readers returns how many reads are under way.
func (p *packet) readers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reading
}

func (p *packet) Busy() bool {
	if p.isClosed() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pending > 0 || time.Since(p.last) < packetLinger
}

func (p *packet) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// Close closes this process's copy of the socket. Other processes keep theirs.
func (p *packet) Close() error {
	p.closing.Lock()
	defer p.closing.Unlock()
	err := sharedsocket.Close(p.inner)
	if p.isClosed() {
		return err
	}
	close(p.closed)
	if p.owner.Closed(p) {
		return nil // the drain may have closed it already; that is not an error of the program
	}
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

// SetReadDeadline sets the time after which reads fail with os.ErrDeadlineExceeded, also
// reads that the drain blocks.
func (p *packet) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped && !p.shut {
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

// SyscallConn returns a raw conn. The socket is shared: an option that is set on it is set
// for every worker.
func (p *packet) SyscallConn() (syscall.RawConn, error) {
	raw, err := p.inner.SyscallConn()
	if err != nil {
		return nil, err
	}
	return packetRaw{raw, p}, nil
}

// packetRaw is a RawConn whose Read behaves as the reads of the conn in a drain.
type packetRaw struct {
	syscall.RawConn
	p *packet
}

func (r packetRaw) Read(f func(fd uintptr) (done bool)) error {
	return r.p.read(func() error { return r.RawConn.Read(f) })
}

// File returns a duplicate of the socket, which the caller closes. Unlike that of package
// net, its Fd method leaves the socket non-blocking, because the flag is shared.
func (p *packet) File() (*os.File, error) { return sharedsocket.File(p.inner, p.inner.LocalAddr()) }

// ownOnly calls f, unless other processes share the socket.
func (p *packet) ownOnly(op string, f func() error) error {
	if !p.shared {
		return f()
	}
	return &net.OpError{Op: op, Net: p.inner.LocalAddr().Network(), Addr: p.inner.LocalAddr(),
		Err: fmt.Errorf("it would affect the socket of every worker: %w", errors.ErrUnsupported)}
}
