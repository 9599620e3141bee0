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
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// Listen asks the master for a socket. Programs call rota.Listen.
func (w *Worker) Listen(ctx context.Context, r bind.Request) (net.Listener, error) {
	if r.Exclusive {
		return w.listenOwn(ctx, r)
	}
	id, fd, err := w.socket(ctx, r)
	if err != nil {
		return nil, err
	}
	defer fd.Close() // the listener has its own
	inner, err := fd.Listener()
	if err != nil {
		return nil, w.giveBack(id, r, err)
	}
	if err := r.AfterBind(r.Network, r.Address, inner); err != nil {
		_ = inner.Close()
		return nil, w.giveBack(id, r, err)
	}
	keepAlive := bind.KeepAlive(inner, r.KeepAliveConfig)
	return w.take(&listener{Listener: w.lazyOnTrial(inner, fd), id: id, keepAlive: keepAlive}, r)
}

// giveBack tells the master that the worker doesn't use a socket that it was given, and
// returns the error of the Listen.
func (w *Worker) giveBack(id int, r bind.Request, err error) error {
	_ = w.send(wire.Closed, wire.ClosedBody{ID: id})
	return &net.OpError{Op: "listen", Net: r.Network, Err: err}
}

// listenOwn makes a socket that the master never sees.
func (w *Worker) listenOwn(ctx context.Context, r bind.Request) (net.Listener, error) {
	inner, err := r.Options.Listen(ctx, r.Network, r.Address)
	if err != nil {
		return nil, err
	}
	return w.take(&listener{Listener: inner, own: r.Network + " " + r.Address}, r)
}

// Track makes a listener that the program already has part of the worker's
// drain. One that is part of it comes back as it is. Programs call rota.Track.
func (w *Worker) Track(inner net.Listener) net.Listener {
	if _, ok := inner.(*listener); ok {
		return inner
	}
	own := inner.Addr().Network() + " " + inner.Addr().String()
	l, err := w.take(&listener{Listener: inner, own: own}, bind.Request{})
	if err != nil {
		return inner // closed: its Accept says so
	}
	return l
}

// socket gets a descriptor from the master; see ask.
func (w *Worker) socket(ctx context.Context, r bind.Request) (int, *descriptor.FD, error) {
	if w.drain.draining.Load() || !w.IsConnected() {
		return 0, nil, w.cannotListen(r, nil)
	}
	id, fd, err := w.ask(ctx, r)
	if errors.Is(err, os.ErrClosed) {
		return 0, nil, w.cannotListen(r, nil) // the master was first to say that this worker leaves
	}
	if err != nil {
		return 0, nil, w.cannotListen(r, err)
	}
	if err := fd.SetNonblock(); err != nil {
		_ = fd.Close()
		return 0, nil, w.cannotListen(r, err)
	}
	return id, fd, nil
}

// cannotListen makes every error of a listen look as package net's do.
func (w *Worker) cannotListen(r bind.Request, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return err
	}
	if err == nil {
		err = w.disconnected("listen")
	}
	return &net.OpError{Op: "listen", Net: r.Network, Addr: named{r.Network, r.Address}, Err: err}
}

// named is an address as the program wrote it.
type named struct{ network, address string }

func (n named) Network() string { return n.network }
func (n named) String() string  { return n.address }

// listener is what a worker accepts from: package net's, with its connections
// counted and its end in the hands of the drain.
type listener struct {
	net.Listener
	worker    *Worker
	watch     *watch
	id        int    // of the master's socket; 0: the master doesn't know it
	own       string // names such a one
	keepAlive net.KeepAliveConfig

	first    sync.Once
	deadline atomic.Pointer[time.Time]
	closing  sync.Once
	closed   chan struct{} // the program has closed it
}

var _ net.Listener = (*listener)(nil)

// take makes l part of the worker's drain. It closes l if the drain has begun.
func (w *Worker) take(l *listener, r bind.Request) (net.Listener, error) {
	l.worker = w
	l.closed = make(chan struct{})
	l.watch = &watch{draining: &w.drain.draining, pace: &w.drain.pace, closed: w.drain.removeConn, opaque: r.Opaque}
	if !w.drain.addSource(l) {
		_ = l.Listener.Close()
		return nil, w.cannotListen(r, nil)
	}
	return l, nil
}

// Accept returns the next connection. While the worker drains it blocks until the
// worker has left or the program closes the listener; then, and after Close, the
// error is net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	l.first.Do(l.accepting)
	c, err := l.accept()
	if err != nil && l.worker.drain.draining.Load() && errors.Is(err, net.ErrClosed) {
		return nil, l.hold(err)
	}
	return c, err
}

// accept counts the connection before anybody may think that none is left.
func (l *listener) accept() (net.Conn, error) {
	d := l.worker.drain
	d.enter()
	defer d.leave()
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if t, ok := inner.(*net.TCPConn); ok && l.keepAlive.Enable {
		_ = t.SetKeepAliveConfig(l.keepAlive) // as package net, which ignores it too
	}
	c, tracked := newConn(inner, l.watch)
	d.addConn(tracked)
	return c, nil
}

// accepting tells the master that the program takes connections here.
func (l *listener) accepting() { l.worker.accepting(l.id, l.own, l.closed) }

// accepting tells the master that the program takes what comes to a socket. From a
// shared one the first is taken a moment later where the master wants it so: this
// worker is on trial, and if it dies, nobody has been served by it. Its predecessor
// serves.
func (w *Worker) accepting(id int, own string, closed <-chan struct{}) {
	_ = w.send(wire.Accepting, wire.AcceptingBody{ID: id, Own: own})
	wait := w.times.Load().HoldOff
	if id == 0 || wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closed:
	case <-w.drain.begun:
	}
}

// hold keeps an Accept that has nothing to wait for until the worker has left.
func (l *listener) hold(closed error) error {
	var timeout <-chan time.Time
	if t := l.deadline.Load(); t != nil && !t.IsZero() {
		timer := time.NewTimer(time.Until(*t))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-l.worker.drain.over:
	case <-l.closed:
	case <-timeout:
		return &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: os.ErrDeadlineExceeded}
	}
	return closed
}

// Close closes this process's copy of the socket. The others keep theirs.
func (l *listener) Close() error {
	err := closeShared(l.Listener)
	l.closing.Do(func() {
		close(l.closed)
		if l.worker.drain.draining.Load() {
			err = nil // the drain was first; the program could not know
			return
		}
		l.worker.drain.removeSource(l)
		if l.id > 0 {
			_ = l.worker.send(wire.Closed, wire.ClosedBody{ID: l.id})
		}
	})
	return err
}

// stop and busy are drain's source.
func (l *listener) stop()      { _ = closeShared(l.Listener) }
func (l *listener) busy() bool { return false } // its connections are counted by themselves

// SetDeadline sets the time after which Accept fails with os.ErrDeadlineExceeded.
func (l *listener) SetDeadline(t time.Time) error {
	d, ok := l.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return fmt.Errorf("set deadline: %T: %w", l.Listener, errors.ErrUnsupported)
	}
	l.deadline.Store(&t)
	return d.SetDeadline(t)
}

// SyscallConn gives access to the descriptor. The socket is shared: what is set
// on it is set for every worker.
func (l *listener) SyscallConn() (syscall.RawConn, error) {
	s, ok := l.Listener.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("syscall conn: %T: %w", l.Listener, errors.ErrUnsupported)
	}
	return s.SyscallConn()
}

// File returns a copy of the socket that is the caller's to close. It is not quite
// that of package net: its Fd leaves the socket non-blocking, which is shared.
func (l *listener) File() (*os.File, error) { return fileOf(l.Listener, l.Addr()) }
