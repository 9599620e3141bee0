package workerproc

import (
	"context"
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
	"github.com/rota-go/rota/internal/sharedsocket"
	"github.com/rota-go/rota/internal/wire"
)

// Listen returns a listener on a socket of the master, or of this worker's own; see
// rota.Listen.
func (w *Worker) Listen(ctx context.Context, r bind.Request) (net.Listener, error) {
	if r.Exclusive {
		return w.listenOwn(ctx, r)
	}
	s, err := w.socket(ctx, r)
	if err != nil {
		return nil, err
	}
	defer s.fd.Close() // the listener has its own
	inner, err := w.listeners.Listener(s.fd)
	if err != nil {
		return nil, w.giveBack(s.ID, r, err)
	}
	if err := r.AfterBind(r.Network, r.Address, inner); err != nil {
		_ = inner.Close()
		return nil, w.giveBack(s.ID, r, err)
	}
	keepAlive := bind.KeepAlive(inner, r.KeepAliveConfig)
	turns := false
	if s.InTurn {
		inner, turns = w.poller.Listen(inner, w.onTrial())
	}
	if !turns && w.onTrial() { // it would be woken for the connections of its predecessor
		inner = sharedsocket.Lazy(inner, s.fd)
	}
	return w.trackListener(&listener{Listener: inner, id: s.ID, number: s.Cookie, keepAlive: keepAlive, backlog: r.Backlog}, r)
}

// giveBack tells the master that the worker doesn't use the socket id, and returns err as
// the error of a listen. The caller closes the worker's copy.
func (w *Worker) giveBack(id int, r bind.Request, err error) error {
	_ = w.send(wire.Closed, wire.ClosedBody{ID: id})
	return &net.OpError{Op: "listen", Net: r.Network, Err: err}
}

// listenOwn opens a socket that the master doesn't know.
func (w *Worker) listenOwn(ctx context.Context, r bind.Request) (net.Listener, error) {
	inner, err := r.Options.Listen(ctx, r.Network, r.Address)
	if err != nil {
		return nil, err
	}
	return w.trackListener(&listener{Listener: inner, own: r.Network + " " + r.Address, exclusive: true}, r)
}

// Track makes a listener of the program part of the worker's drain. It returns a listener
// that is part of it already unchanged; see rota.Track.
func (w *Worker) Track(inner net.Listener) net.Listener {
	switch inner.(type) {
	case *listener, *tcpListener, *unixListener:
		return inner
	}
	own := inner.Addr().Network() + " " + inner.Addr().String()
	l, err := w.trackListener(&listener{Listener: inner, own: own}, bind.Request{})
	if err != nil {
		return inner // it is closed, and its Accept fails
	}
	return l
}

// socket returns a socket of the master; see ask. The descriptor is the caller's. Other holders may have
// cleared O_NONBLOCK meanwhile: package net sets it.
func (w *Worker) socket(ctx context.Context, r bind.Request) (s shared, err error) {
	if w.drain.draining.Load() || !w.IsConnected() {
		return s, w.cannotListen(r, nil)
	}
	s, err = w.ask(ctx, r)
	if errors.Is(err, os.ErrClosed) {
		return s, w.cannotListen(r, nil) // the master has asked this worker to disconnect
	}
	if err != nil {
		return s, w.cannotListen(r, err)
	}
	return s, nil
}

// cannotListen returns err as package net returns the errors of a listen. A nil err means
// that the worker has disconnected.
func (w *Worker) cannotListen(r bind.Request, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return err
	}
	if err == nil {
		err = w.disconnected("listen")
	}
	return bind.OpError(r, err)
}

// listener adds the drain to a listener: it tracks the connections, and its Accept blocks
// while the worker drains.
type listener struct {
	net.Listener
	worker    *Worker
	conns     *conn.Shared
	id        int    // the socket's id in the master; 0: the master doesn't know it
	number    uint64 // the kernel's number of the socket, or of the first one if each slot has one; 0: unknown
	own       string // names a socket that the master doesn't know
	exclusive bool   // own, and no other process has it
	keepAlive net.KeepAliveConfig
	backlog   int    // the length of the queue that the program has asked for; 0: none
	source    source // what the drain has: this listener, with the methods of its kind

	closeWithin time.Duration // in the drain, see rota.ListenConfig

	first     sync.Once
	asked     atomic.Bool  // Accept was called
	accepting atomic.Int64 // Accepts that wait for a connection
	held      atomic.Int64 // Accepts that the drain blocks
	taken     taken
	moved     *handover.Queue // connections of other workers, to be accepted
	deadline  handover.Deadline
	closing   sync.Mutex    // held during Close
	closed    chan struct{} // closed by Close
}

var _ net.Listener = (*listener)(nil)

// trackListener makes l part of the worker's drain. It closes l if the drain has begun.
func (w *Worker) trackListener(l *listener, r bind.Request) (net.Listener, error) {
	l.worker = w
	l.closed = make(chan struct{})
	l.closeWithin = r.CloseWithin
	l.moved = handover.NewQueue()
	l.conns = &conn.Shared{
		Draining: &w.drain.draining, Limiter: &w.drain.limiter, Closed: w.drain.removeConn, Opaque: r.Opaque,
		Cookie: l.cookie(), Stay: r.Stays(), Mover: &w.drain.mover, Moved: &w.Moved, Rest: l.restAgain,
	}
	ln := l.withMethods()
	l.source = ln
	if !w.drain.addSource(ln) {
		_ = l.Listener.Close()
		return nil, w.cannotListen(r, nil)
	}
	return ln, nil
}

// trackedListener is a *listener, *tcpListener or *unixListener.
type trackedListener interface {
	net.Listener
	source
}

// withMethods returns l with the methods that package net's listener of its kind has.
func (l *listener) withMethods() trackedListener {
	kind := l.Listener
	if other, ok := kind.(interface{ Kind() net.Listener }); ok {
		kind = other.Kind()
	}
	switch kind.(type) {
	case *net.TCPListener:
		return &tcpListener{bareListener[net.TCPConn, *net.TCPConn]{listener: l}}
	case *net.UnixListener:
		return &unixListener{bareListener[net.UnixConn, *net.UnixConn]{listener: l}}
	}
	return l
}

// Accept returns the next connection. While the worker drains it blocks until the
// worker has left or the program closes the listener; then, and after Close, the
// error is net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) { return l.next(l.track) }

// track makes inner, which was accepted, a connection of the drain, and returns what the
// program gets.
func (l *listener) track(inner net.Conn) net.Conn {
	c, tracked := conn.New(inner, l.conns)
	l.worker.drain.addConn(tracked)
	return c
}

// next returns the next connection: what keep, which makes it part of the drain, returns for
// one of accept(2), or one of another worker. See Accept.
func (l *listener) next(keep func(net.Conn) net.Conn) (net.Conn, error) {
	l.asked.Store(true)
	l.first.Do(l.sendAccepting)
	for {
		c, err := l.accept(keep)
		if !errors.Is(err, net.ErrClosed) {
			return c, err
		}
		if !l.worker.drain.draining.Load() {
			l.closing.Lock() // the address may be asked for again when Close has told the master
			defer l.closing.Unlock()
			return nil, err
		}
		if err := l.waitLeft(err); err != nil {
			return nil, err
		}
	}
}

// accept accepts a connection, see next. The drain is not empty meanwhile.
func (l *listener) accept(keep func(net.Conn) net.Conn) (net.Conn, error) {
	d := l.worker.drain
	d.acceptStarts()
	defer d.acceptEnds()
	l.accepting.Add(1)
	defer l.accepting.Add(-1)
	for inner, woken, err := net.Conn(nil), true, error(nil); ; {
		if c := l.nextMoved(); c != nil {
			return l.admitted(c, keep), nil
		}
		if !woken {
			return nil, err
		}
		if inner, woken, err = l.acceptNew(); err == nil {
			return l.admit(inner, keep), nil
		}
	}
}

// admit returns what keep makes of a connection of accept(2).
func (l *listener) admit(inner net.Conn, keep func(net.Conn) net.Conn) net.Conn {
	l.setKeepAlive(inner)
	l.worker.CountAccepted()
	return keep(inner)
}

func (l *listener) setKeepAlive(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok && l.keepAlive.Enable {
		_ = t.SetKeepAliveConfig(l.keepAlive) // package net ignores the error as well
	}
}

// revivePause bounds how often a worker makes a socket listen again.
const revivePause = time.Millisecond

// revive makes a shared socket listen again, after another process has called shutdown(2)
// on it, which stops it for all. It reports whether it does.
func (l *listener) revive() bool {
	s, ok := l.Listener.(syscall.Conn)
	if !ok || l.id == 0 || l.worker.drain.draining.Load() {
		return false
	}
	time.Sleep(revivePause)
	return bind.Revive(s, l.Addr(), l.backlog)
}

// base returns the listener that others are made of.
func (l *listener) base() *listener { return l }

// baseOf returns the listener of a source, nil if it is none.
func baseOf(s source) *listener {
	if l, ok := s.(interface{ base() *listener }); ok {
		return l.base()
	}
	return nil
}

// sendAccepting tells the master that the program accepts from this listener.
func (l *listener) sendAccepting() { l.worker.sendAccepting(l.id, l.own, l.closed) }

// errLeft is why Accept fails when the worker has left. It is a net.ErrClosed, and its text
// says, where a main logs it, that nothing has gone wrong.
var errLeft = fmt.Errorf("the worker has left, as it was asked to: %w", net.ErrClosed)

// waitLeft blocks an Accept of a draining worker until the worker has left, and returns
// errLeft then, or until the program closes the listener, and returns closed. It also ends at
// the deadline. It returns nil if a connection has moved here, which this worker had taken
// before its own drain began.
func (l *listener) waitLeft(closed error) error {
	l.held.Add(1)
	defer l.held.Add(-1)
	var timeout <-chan time.Time
	if t := l.deadline.Get(); !t.IsZero() {
		timer := time.NewTimer(time.Until(t))
		defer timer.Stop()
		timeout = timer.C
	}
	ended := l.closed
	for {
		select {
		case <-l.worker.drain.left:
			return l.acceptError(errLeft)
		case <-ended:
			if !l.worker.holdsAccepts.Load() {
				return closed
			}
			ended = nil
		case <-l.moved.Arrived():
			return nil
		case <-timeout:
			return l.acceptError(os.ErrDeadlineExceeded)
		}
	}
}

func (l *listener) acceptError(err error) error {
	return &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
}

// HoldAccepts makes Accept block in the drain until the worker has left, also on a listener
// that is closed meanwhile. Package rotahttp calls it before http.Server.Shutdown, which
// closes the listeners, so that a main that ends when Serve returns doesn't cut an answer.
func (w *Worker) HoldAccepts() { w.holdsAccepts.Store(true) }

// Settled reports, in a drain, whether the program has come back to Accept on every listener,
// and no connection can move here any more. By then it has recorded all connections that it had
// accepted.
func (w *Worker) Settled() bool {
	w.drain.mu.Lock()
	defer w.drain.mu.Unlock()
	if w.drain.pairs > 0 || w.drain.resting.Len() > 0 {
		return false
	}
	for s := range w.drain.sources {
		if l, ok := s.(interface{ settled() bool }); ok && !l.settled() {
			return false
		}
	}
	return true
}

func (l *listener) settled() bool {
	return l.isClosed() || !l.asked.Load() || l.held.Load() > 0 && !l.moved.Waiting()
}

// Close closes this process's copy of the socket. Other processes keep theirs.
func (l *listener) Close() error {
	l.closing.Lock()
	defer l.closing.Unlock()
	err := sharedsocket.Close(l.Listener)
	if l.isClosed() {
		return err
	}
	close(l.closed)
	l.moved.Close()
	if l.worker.drain.draining.Load() {
		return nil // the drain has closed it already; that is not an error of the program
	}
	l.worker.drain.removeSource(l.source)
	l.worker.drain.resting.Drop(l)
	if !l.acceptsByFile() && l.id > 0 { // else the socket is still in use
		_ = l.worker.send(wire.Closed, wire.ClosedBody{ID: l.id})
	}
	return err
}

// closeSource and busy make listener a source of the drain.
func (l *listener) closeSource() {
	_ = sharedsocket.Close(l.Listener)
	l.endConns(l.openConns)
}

func (l *listener) busy() bool { return false } // the drain has the connections itself

// SetDeadline sets the time after which Accept fails with os.ErrDeadlineExceeded.
func (l *listener) SetDeadline(t time.Time) error {
	d, ok := l.Listener.(handover.Deadliner)
	if !ok {
		return fmt.Errorf("set deadline: %T: %w", l.Listener, errors.ErrUnsupported)
	}
	return l.deadline.Set(d, t)
}

// SyscallConn returns a raw conn. The socket is shared: an option that is set on it is set
// for every worker.
func (l *listener) SyscallConn() (syscall.RawConn, error) {
	s, ok := l.Listener.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("syscall conn: %T: %w", l.Listener, errors.ErrUnsupported)
	}
	return s.SyscallConn()
}
