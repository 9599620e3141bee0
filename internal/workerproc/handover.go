package workerproc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/conn"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// handOver takes this worker's end of a pair to its receiver. Connections move from now on, if
// the drain has begun, or as soon as it begins. It owns p unless it fails.
func (w *Worker) handOver(p link.Packet) error {
	if len(p.Files) != 1 {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	sender, err := handover.NewSender(p.Files[0])
	if err != nil {
		return nil // out of descriptors, for example: the connections stay
	}
	w.drain.setMover(handover.NewMover(sender))
	return nil
}

// receiveConns takes this worker's end of a pair to a worker that leaves. It owns p unless
// it fails.
func (w *Worker) receiveConns(p link.Packet) error {
	if len(p.Files) != 1 {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	r, err := handover.NewReceiver(p.Files[0], movedTo{w.drain})
	if err != nil {
		return nil // the other worker sees that the pair is closed
	}
	w.drain.receives(1)
	go func() {
		defer w.drain.receives(-1)
		if err := r.Serve(); err != nil {
			w.report("takes no more connections of another worker: %v", err)
		}
	}()
	return nil
}

// receives counts the pairs on which connections of other workers may come. The drain is
// not empty as long as there are any: a worker that leaves before its own successor has to
// has moved them on, or has got another pair.
func (d *drain) receives(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pairs += n
	d.notify()
}

// setMover makes m what moves connections, in the place of an earlier one. It owns m.
func (d *drain) setMover(m *handover.Mover) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := m
	if !d.over {
		old = d.mover.Swap(m)
	}
	if old != nil {
		go old.Close() // waits for an offer that is under way
	}
}

// endMoves ends the moving of connections.
func (d *drain) endMoves() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	if m := d.mover.Load(); m != nil {
		m.Close()
	}
}

// interruptIdle has the connections that wait for a request move.
func (d *drain) interruptIdle() {
	if d.mover.Load() == nil {
		return
	}
	for _, c := range d.openConns() {
		c.Interrupt()
	}
}

// movedTo is the drain as handover.Sockets. The drain is not empty while connections are
// taken.
type movedTo struct{ *drain }

func (d movedTo) Starts() { d.acceptStarts() }
func (d movedTo) Ends()   { d.acceptEnds() }

// Socket returns the listener whose socket has this cookie. A worker that drains takes
// connections too, as long as it can move them on.
func (d movedTo) Socket(cookie uint64) handover.Socket {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.mover.Load(); d.over || d.draining.Load() && (m == nil || m.Ended()) {
		return nil
	}
	for s := range d.sources {
		if l := baseOf(s); l != nil && l.conns.Cookie == cookie && !l.isClosed() {
			return l
		}
	}
	return nil
}

// cookie returns the number of the listener's socket if its connections may move, and 0
// otherwise. Those of a socket that only this worker has stay, and so do those that
// the drain closes: it shuts down the socket, which the other process would have.
func (l *listener) cookie(r bind.Request) uint64 {
	s, ok := l.Listener.(syscall.Conn)
	if !ok || l.id == 0 || r.Opaque || r.Stay || r.CloseWithin > 0 || !handover.Supported {
		return 0
	}
	c, err := handover.Cookie(s)
	if err != nil {
		return 0
	}
	return c
}

// moved are the connections that another worker has moved to this one, and that the
// program has not accepted yet. They are connections of the drain.
type moved struct {
	some    atomic.Bool   // conns is not empty
	arrived chan struct{} // capacity 1: one was added

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func (m *moved) add(c net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		_ = c.Close() // as the kernel does with what waits at a listener that is closed
		return
	}
	m.conns = append(m.conns, c)
	m.some.Store(true)
	select {
	case m.arrived <- struct{}{}:
	default:
	}
}

// next returns the next connection, or nil.
func (m *moved) next() (c net.Conn) {
	if !m.some.Load() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.conns) > 0 {
		c, m.conns[0] = m.conns[0], nil
		m.conns = m.conns[1:]
	}
	m.some.Store(len(m.conns) > 0)
	return c
}

// closeAll closes the connections, and those that are added later.
func (m *moved) closeAll() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	for c := m.next(); c != nil; c = m.next() {
		_ = c.Close() // nothing was written to it
	}
}

// Put has the program accept c, a connection of another worker.
func (l *listener) Put(c net.Conn) {
	result, tracked := conn.NewMoved(c, l.conns)
	l.worker.drain.addConn(tracked)
	l.moved.add(result)
	l.wake()
}

// deadline is the deadline of a listener's Accept. While it is woken, the listener has one
// that has passed.
type deadline struct {
	mu    sync.Mutex
	t     time.Time // as the program has set it
	woken bool
}

type deadliner interface{ SetDeadline(time.Time) error }

// set is the program's SetDeadline.
func (d *deadline) set(ln deadliner, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t = t
	if d.woken {
		return nil // restore sets it
	}
	return ln.SetDeadline(t)
}

func (d *deadline) get() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.t
}

// wake has an Accept that waits fail.
func (d *deadline) wake(ln deadliner) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.woken {
		d.woken = true
		_ = ln.SetDeadline(time.Unix(1, 0)) // fails if the listener is closed: then Accept fails too
	}
}

// restore sets the program's deadline again, and reports whether there was another.
func (d *deadline) restore(ln deadliner) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.woken {
		return false
	}
	d.woken = false
	_ = ln.SetDeadline(d.t) // fails if the listener is closed: then Accept fails too
	return true
}

// wake has an Accept that waits look for connections that have moved.
func (l *listener) wake() {
	if d, ok := l.Listener.(deadliner); ok {
		l.deadline.wake(d)
	}
}

// acceptMoved returns a connection that has moved to this worker. If there is none, the
// result is err, which accept(2) has returned, or that of another Accept if it has only
// failed because of wake.
func (l *listener) acceptMoved(err error, keep func(net.Conn) net.Conn) (net.Conn, error) {
	d, ok := l.Listener.(deadliner)
	woken := ok && l.deadline.restore(d)
	c := l.moved.next()
	switch {
	case c != nil:
		if l.moved.some.Load() {
			l.wake() // another Accept that waits
		}
		return c, nil
	case woken && errors.Is(err, os.ErrDeadlineExceeded):
		return l.accept(keep)
	}
	return nil, err
}
