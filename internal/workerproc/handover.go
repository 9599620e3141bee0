package workerproc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/conn"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/resting"
	"github.com/rota-go/rota/internal/sharedsocket"
	"github.com/rota-go/rota/internal/wire"
)

// handOver takes this worker's end of a pair to its receiver. Connections move from now on, if
// the drain has begun, or as soon as it begins. It owns p unless it fails.
func (w *Worker) handOver(p link.Packet) error {
	m, err := moverOf(p)
	if m != nil {
		w.drain.setMover(m)
	}
	return err
}

// spare has connections move to a worker that has fewer, while this one stays. It owns p unless it
// fails.
func (w *Worker) spare(p link.Packet) error {
	var body wire.SpareBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	m, err := moverOf(p)
	if m != nil {
		go w.spareBy(m, body.Connections)
	}
	return err
}

// spareBy has n connections move by m, which it owns: first those that rest.
func (w *Worker) spareBy(m *handover.Mover, n int) {
	n -= w.drain.resting.Move(m, n)
	conn.Spare(w.drain.openConns(), m, n)
}

// moverOf returns what moves connections over the pair of p: nil if this process can't, which is out
// of descriptors, for example. It owns p unless it fails.
func moverOf(p link.Packet) (*handover.Mover, error) {
	if len(p.Files) != 1 {
		return nil, fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	return handover.MoverOf(p.Files[0]), nil
}

// receiveConns takes this worker's end of a pair to a worker that leaves. It owns p unless
// it fails.
func (w *Worker) receiveConns(p link.Packet) error {
	if len(p.Files) != 1 {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	r, err := handover.NewReceiver(p.Files[0], movedTo{w.drain, &w.handed})
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
	d.checkReceiver()
}

// checkReceiver closes the channel of CanHandOver if connections can be handed over. The caller
// holds mu.
func (d *drain) checkReceiver() {
	if d.begun && d.mover.Load() != nil {
		d.canHandOnce.Do(func() { close(d.canHandOver) })
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

// moveIdle has the connections move that rest here, and after usedAgain those whose programs still wait
// for a request. The others move when their programs ask for the next one. The result stops it.
func (d *drain) moveIdle() (stop func() bool) {
	if m := d.mover.Load(); m != nil {
		d.resting.Leave(m)
	}
	return time.AfterFunc(usedAgain, d.interruptIdle).Stop
}

// interruptIdle has the connections that wait for a request move, as each tick does.
func (d *drain) interruptIdle() {
	for _, c := range d.openConns() {
		c.Interrupt() // does nothing without a receiver
	}
}

// movedTo is the drain as handover.Sockets. The drain is not empty while connections are
// taken.
type movedTo struct {
	*drain
	handed *handed
}

func (d movedTo) Starts() { d.acceptStarts() }
func (d movedTo) Ends()   { d.acceptEnds() }

// Socket returns the listener whose socket has this cookie.
func (d movedTo) Socket(cookie uint64) handover.Socket {
	if l := d.listener(cookie); l != nil && !l.conns.Stay {
		return l
	}
	return nil
}

// listener returns the listener whose socket has this cookie, or nil. A worker that drains takes
// connections too, as long as it can move them on.
func (d movedTo) listener(cookie uint64) *listener {
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

// cookie returns the number of the listener's socket if other workers may have its
// connections, and 0 otherwise.
func (l *listener) cookie() uint64 {
	s, ok := l.Listener.(syscall.Conn)
	if !ok || l.id == 0 || !handover.Supported {
		return 0
	}
	if l.number != 0 {
		return l.number
	}
	c, err := handover.Cookie(s)
	if err != nil {
		return 0
	}
	return c
}

// Put has the program accept c, a connection of another worker.
func (l *listener) Put(c net.Conn) {
	l.Expect(c, 0)
}

// Rests reports whether connections of other workers can rest here.
func (l *listener) Rests() bool { return l.worker.drain.resting.Ready() }

// Rest has the program accept a connection of another worker when its client sends.
func (l *listener) Rest(fd *descriptor.FD, left time.Duration) {
	l.worker.Taken.Add(1)
	l.worker.drain.resting.Rest(l.resting(fd, left))
}

func (l *listener) resting(fd *descriptor.FD, left time.Duration) *resting.Conn {
	return resting.NewConn(fd, l, l.conns.Cookie, left)
}

// Expect has the program accept a connection of another worker, whose client is expected to send soon.
func (l *listener) Expect(c net.Conn, left time.Duration) {
	l.worker.Taken.Add(1)
	l.Give(c, left)
}

// restAgain has a duplicate of a connection rest that the program has, as conn.Shared needs it.
func (l *listener) restAgain(c net.Conn, left time.Duration) bool {
	if l.isClosed() || !l.Rests() {
		return false
	}
	fd, err := descriptor.DupOf(c)
	if err != nil {
		return false // out of descriptors, for example
	}
	if !l.worker.drain.resting.Again(l.resting(fd, left)) {
		_ = fd.Close() // the program has the connection
		return false
	}
	return true
}

// Closed reports whether the program has closed the listener; see resting.Owner.
func (l *listener) Closed() bool { return l.isClosed() }

// Give has the program accept c, a connection of another worker; see resting.Owner.
func (l *listener) Give(c net.Conn, left time.Duration) {
	l.setKeepAlive(c)
	result, tracked := conn.NewUsed(c, l.conns, left)
	l.worker.drain.addConn(tracked)
	if l.moved.Add(result) {
		l.wake()
	}
}

// nextMoved returns a connection that has moved to this worker, or nil. If more wait, it wakes
// another Accept.
func (l *listener) nextMoved() net.Conn {
	c := l.moved.Next()
	if c != nil && l.moved.Waiting() {
		l.wake()
	}
	return c
}

// wake has an Accept that waits look for connections that have moved, and at the queue. Another process may have made the socket
// blocking.
func (l *listener) wake() {
	if d, ok := l.Listener.(handover.Deadliner); ok && l.deadline.Wake(d) {
		sharedsocket.UnblockSoon(l.Listener, func() bool { return l.accepting.Load() > 0 && l.deadline.IsWoken() })
	}
}

// acceptNew returns a connection of accept(2). If that fails, it reports whether wake may be why, for this Accept or another.
func (l *listener) acceptNew() (c net.Conn, woken bool, err error) {
	before := l.deadline.Ended()
	c, err = l.Listener.Accept()
	for errors.Is(err, syscall.EINVAL) && l.revive() {
		c, err = l.Listener.Accept()
	}
	if d, ok := l.Listener.(handover.Deadliner); ok && err != nil {
		woken = l.deadline.Restore(d) != before && errors.Is(err, os.ErrDeadlineExceeded)
	}
	return c, woken, err
}
