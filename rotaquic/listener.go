package rotaquic

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/rota-go/rota/worker"
)

// The steps of a drain.
const (
	// arrivalTime is how long packets of handshakes may be on their way when a drain begins: in the socket, in a
	// queue, or in quic-go.
	arrivalTime = 250 * time.Millisecond
	// handshakeLimit is how long a drain waits for handshakes that have begun. quic-go gives them as long by itself.
	handshakeLimit = 10 * time.Second
	// replacingLimit is how long a drain waits for the end of the reload, and at most for a quarter of the grace.
	replacingLimit = 5 * time.Second
	// closeLead is how long before the end of the grace the connections are closed that are still open.
	closeLead = 250 * time.Millisecond
)

// Listener accepts QUIC connections, as quic.Listener does. It is an http3.QUICListener.
type Listener struct {
	acceptor
	transport *quic.Transport
	socket    net.PacketConn // owned
	worker    *worker.Worker // nil without a master
	shared    *shared        // owned; nil without a master
	conns     *conns

	serving sync.Once
	closing sync.Once
	closed  chan struct{} // closed by Close
	drains  chan struct{} // closed when the drain begins
	goaway  chan struct{} // closed in a drain when clients may be sent elsewhere
}

// newListener owns socket if it doesn't fail.
func newListener(socket net.PacketConn, addr string, w *worker.Worker) (l *Listener, err error) {
	l = &Listener{
		socket: socket, worker: w, conns: newConns(),
		closed: make(chan struct{}), drains: make(chan struct{}), goaway: make(chan struct{}),
	}
	l.transport = &quic.Transport{Conn: socket, ConnContext: l.conns.begin}
	if w != nil {
		l.shared, err = share(w, addr, socket, l.transport)
	}
	return l, err
}

// Accept returns the next connection, as quic.Listener's Accept. The first call makes the worker ready. In a drain it returns
// the connections whose handshake had begun, and then blocks until the worker has left, also if ctx ends: a main that
// ends with the server doesn't cut connections. After Close it returns quic.ErrServerClosed.
func (l *Listener) Accept(ctx context.Context) (*quic.Conn, error) {
	l.serving.Do(l.serve)
	c, err := l.acceptor.Accept(ctx)
	if err == nil {
		l.conns.accept(c)
		return c, nil
	}
	select {
	case <-l.drains:
		l.awaitLeft()
	default:
	}
	return nil, err
}

func (l *Listener) serve() {
	if l.shared != nil {
		l.shared.serve()
	}
}

func (l *Listener) awaitLeft() {
	select {
	case <-l.worker.Done():
	case <-l.closed:
	}
}

// Close ends the listener, as quic.Listener's Close: connections that Accept has returned are not affected, and
// handshakes under way are refused. The worker gives the socket back when the last connection has closed.
func (l *Listener) Close() (err error) {
	l.closing.Do(func() {
		close(l.closed)
		err = l.stop()
		go func() {
			_ = l.conns.await(context.Background(), noneAccepted)
			l.passOn(context.Background())
			l.close()
		}()
	})
	return err
}

// stop takes no new connections any more.
func (l *Listener) stop() error {
	if l.shared != nil {
		l.shared.leave()
	}
	return l.acceptor.Close()
}

// close ends everything. No connection is open.
func (l *Listener) close() {
	_ = l.transport.Close() // nothing waits to be written
	if l.shared != nil {
		l.shared.close()
	}
	_ = l.socket.Close() // the same
}

// passOn stays as long as other workers need this one's socket.
func (l *Listener) passOn(ctx context.Context) {
	if l.shared != nil {
		l.shared.passOn(ctx)
	}
}

func noneAccepted(_, accepted int) bool { return accepted == 0 }

// drain is called when the worker drains. It returns when the last connection has closed, and no other worker needs this one's
// socket. At the end of the grace it closes the connections that are open.
func (l *Listener) drain(ctx context.Context) error {
	close(l.drains)
	if l.shared != nil {
		l.shared.drain()
	}
	ctx, cancel := endingEarly(ctx, closeLead)
	defer cancel()
	l.awaitHandshakes(ctx)
	err := l.stop()
	sleep(ctx, arrivalTime-l.conns.sinceLast()) // for the first request on the last one
	l.awaitReload(ctx)
	close(l.goaway)
	if l.conns.await(ctx, noneAccepted) != nil {
		l.conns.closeAll()
	}
	l.passOn(ctx)
	if l.shared != nil {
		l.shared.retire()
	}
	return err
}

// awaitHandshakes waits until the handshakes that have begun are complete, and for those whose first packet is on its way.
func (l *Listener) awaitHandshakes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	sleep(ctx, arrivalTime)
	_ = l.conns.await(ctx, func(handshakes, _ int) bool { return handshakes == 0 }) // or what is left is refused
}

// awaitReload waits until the other workers of this one's generation are replaced too, if that is under way: a client that
// is sent elsewhere before would come to one of them, and be sent elsewhere again.
func (l *Listener) awaitReload(ctx context.Context) {
	limit := replacingLimit
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/4)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for l.shared != nil && l.shared.isReplacing() && ctx.Err() == nil {
		sleep(ctx, lookAtGrace)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

var errGraceEnds = errors.New("the grace is about to end")

// lookAtGrace is how often endingEarly looks when the grace ends: a stop may have made it shorter.
const lookAtGrace = 50 * time.Millisecond

// endingEarly returns a context that ends that long before ctx does, or when half of the time that ctx has is over.
func endingEarly(ctx context.Context, lead time.Duration) (context.Context, context.CancelFunc) {
	early, cancel := context.WithCancelCause(ctx)
	if end, ok := ctx.Deadline(); ok {
		lead = min(lead, time.Until(end)/2)
	}
	go func() {
		tick := time.NewTicker(lookAtGrace)
		defer tick.Stop()
		for early.Err() == nil {
			if end, ok := ctx.Deadline(); ok && time.Until(end) < lead {
				cancel(errGraceEnds)
			}
			select {
			case <-tick.C:
			case <-early.Done():
			}
		}
	}()
	return early, func() { cancel(nil) }
}
