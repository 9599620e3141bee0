package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// Socket is a listening socket of the receiver.
type Socket interface {
	Addr() net.Addr
	// Put has the program accept c. It owns c. It is called from the goroutine of Serve.
	Put(c net.Conn)
}

// Rester is a Socket that keeps connections at rest.
type Rester interface {
	Socket
	// Rests reports whether Rest may be called for the next connection. Otherwise Expect is. Put isn't called.
	Rests() bool
	// Rest has the program accept the connection of fd when its client sends. It owns fd. Left is how
	// long a program would wait for that; 0: it sets no time. It is called from the goroutine of Serve.
	Rest(fd *descriptor.FD, left time.Duration)
	// Expect has the program accept c at once: its client is expected to send soon, or connections can't rest now. If it doesn't
	// send, c comes to rest if it can, with what is left of the time, or ends by that. It owns c, and is called from the goroutine of Serve.
	Expect(c net.Conn, left time.Duration)
}

// Sockets are the listening sockets of the receiver. The methods are called from the
// goroutine of Serve.
type Sockets interface {
	// Socket returns the socket with this cookie; nil: there is none, or it takes no more
	// connections.
	Socket(cookie uint64) Socket
	// Handed returns the socket with this cookie, whose Put gives the program the connection
	// with this state; nil: there is none, or the program takes no more.
	Handed(cookie uint64, state []byte) Socket
	// Starts and Ends are called before and after the connections of an offer are taken.
	Starts()
	Ends()
}

// Receiver is the receiver's end of a pair.
type Receiver struct {
	pair    *net.UnixConn
	sockets Sockets
	adopter *descriptor.Adopter // used, and closed, by Serve
	buf     [maxSize + 1]byte
}

// NewReceiver returns a Receiver for one end of a pair. It owns fd, also when it fails.
func NewReceiver(fd *descriptor.FD, sockets Sockets) (*Receiver, error) {
	pair, err := fd.UnixConn()
	if err != nil {
		return nil, err
	}
	adopter, err := descriptor.NewAdopter()
	if err != nil {
		_ = pair.Close() // nothing was sent on it
		return nil, err
	}
	return &Receiver{pair: pair, sockets: sockets, adopter: adopter}, nil
}

// Close closes the pair. Serve returns.
func (r *Receiver) Close() { _ = r.pair.Close() } // nothing is sent that could be lost

// Serve takes connections until the leaving worker closes the pair, or sends what it must
// not; then it closes the pair. The error is nil at the end of the pair.
func (r *Receiver) Serve() error {
	defer r.adopter.Close()
	defer r.Close()
	for {
		if err := r.next(); errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// next handles an offer or a hand-over. What was taken is put into use when the answer has been
// sent.
func (r *Receiver) next() error {
	b, fds, err := r.receive()
	defer descriptor.CloseAll(fds)
	if err != nil {
		return err
	}
	if b[0] == handKind {
		return r.nextHand(b, fds)
	}
	offered, err := parseOffer(b)
	if err == nil && len(fds) > len(offered) {
		err = fmt.Errorf("%w: %d descriptors for %d connections", ErrMessage, len(fds), len(offered))
	}
	if err != nil {
		return err
	}
	return r.takeAll(fds, len(offered), func(i int) (arrival, error) { return r.offered(fds[i], offered[i]) })
}

// nextHand handles a hand-over, whose first message is b.
func (r *Receiver) nextHand(b []byte, fds []*descriptor.FD) error {
	h, err := parseHand(b)
	if err == nil && len(fds) > 1 {
		err = fmt.Errorf("%w: %d descriptors for a connection", ErrMessage, len(fds))
	}
	for err == nil && !h.whole() {
		err = r.nextPart(&h)
	}
	if err == nil && !json.Valid(h.state) {
		err = fmt.Errorf("%w: a state that is not JSON", ErrMessage)
	}
	if err != nil {
		return err
	}
	return r.takeAll(fds, 1, func(i int) (arrival, error) { return r.take(fds[i], r.sockets.Handed(h.cookie, h.state)) })
}

func (r *Receiver) nextPart(h *hand) error {
	b, fds, err := r.receive()
	defer descriptor.CloseAll(fds)
	if err == nil && len(fds) > 0 {
		err = fmt.Errorf("%w: %d descriptors with a state", ErrMessage, len(fds))
	}
	if err != nil {
		return err
	}
	return h.more(b)
}

// arrival is a connection that is taken: of a conn, or one that rests, of a descriptor. The zero
// value is one that isn't taken.
type arrival struct {
	conn   net.Conn
	socket Socket // of conn

	fd     *descriptor.FD
	rester Rester // of fd
	left   time.Duration
}

func (a arrival) isTaken() bool { return a.conn != nil || a.fd != nil }

// use puts the connection into use.
func (a arrival) use() {
	switch {
	case a.conn != nil:
		a.socket.Put(a.conn)
	case a.fd != nil:
		a.rester.Rest(descriptor.New(a.fd.Take()), a.left)
	}
}

// drop closes what was made of the connection, which the other process still has.
func (a arrival) drop() {
	if a.conn != nil {
		_ = a.conn.Close()
	}
}

// takeAll answers which of n connections are taken, and puts these into use. There may be fewer
// descriptors than connections, where this process has too many open already; they are the first of
// them. The caller closes the descriptors that aren't in use.
func (r *Receiver) takeAll(fds []*descriptor.FD, n int, take func(i int) (arrival, error)) (err error) {
	defer r.adopter.Clear()
	r.sockets.Starts()
	defer r.sockets.Ends()
	all, taken := make([]arrival, n), make([]bool, n)
	for i := range fds {
		if all[i], err = take(i); err != nil {
			break
		}
		taken[i] = all[i].isTaken()
	}
	if err == nil {
		_, err = r.pair.Write(appendAnswer(nil, taken))
	}
	for _, a := range all {
		if err == nil {
			a.use()
		} else {
			a.drop()
		}
	}
	return err
}

// receive receives a message, which is valid until the next call. The descriptors are the caller's.
func (r *Receiver) receive() ([]byte, []*descriptor.FD, error) {
	oob := make([]byte, rightsSize)
	n, oobn, _, _, err := r.pair.ReadMsgUnix(r.buf[:], oob)
	if err != nil {
		return nil, nil, err
	}
	fds, _ := descriptor.FromRights(oob[:oobn]) // whatever else is there is passed over
	if n == 0 {
		return nil, fds, io.EOF
	}
	return r.buf[:n], fds, nil
}

// offered takes a connection of an offer, if it can. The error says that it is none that may be
// sent.
func (r *Receiver) offered(fd *descriptor.FD, f facts) (arrival, error) {
	s := r.sockets.Socket(f.cookie)
	rester, ok := s.(Rester)
	if !ok {
		return r.take(fd, s)
	}
	if rests := rester.Rests(); f.used || !rests {
		if a, err := r.take(fd, expecting{rester, f.left()}); a.isTaken() || err != nil || !rests {
			return a, err
		} // without a free descriptor it can still rest
	}
	is, err := checkSocket(fd.Int(), s.Addr())
	if err != nil || !is {
		return arrival{}, err
	}
	return arrival{fd: fd, rester: rester, left: f.left()}, nil
}

// expecting is a Rester whose Put expects that the client sends soon.
type expecting struct {
	Rester
	left time.Duration
}

// Put has the program accept c at once.
func (e expecting) Put(c net.Conn) { e.Expect(c, e.left) }

// take is offered for a connection that the program gets at once.
func (r *Receiver) take(fd *descriptor.FD, s Socket) (arrival, error) {
	if s == nil {
		return arrival{}, nil
	}
	c, err := r.adopter.Conn(fd)
	if descriptor.RunOut(err) {
		return arrival{}, nil
	}
	if err != nil {
		return arrival{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	a := arrival{conn: c, socket: s}
	if err := checkConn(c, fd, s.Addr()); err != nil {
		a.drop()
		return arrival{}, err
	}
	if c.RemoteAddr() == nil { // the client has gone meanwhile
		a.drop()
		return arrival{}, nil
	}
	return a, nil
}

// checkConn fails unless c, made of fd, is a stream socket that doesn't listen, with a local
// address that a connection to a listener at addr has.
func checkConn(c net.Conn, fd *descriptor.FD, addr net.Addr) error {
	if !belongs(c.LocalAddr(), addr) {
		return fmt.Errorf("%w: a connection of %v for the socket at %v", ErrMessage, c.LocalAddr(), addr)
	}
	if c.RemoteAddr() != nil {
		return nil // package net found a peer
	}
	if on, err := descriptor.Listens(fd.Int()); on || err != nil {
		return fmt.Errorf("%w: a socket that listens, or %v", ErrMessage, err)
	}
	return nil
}

// belongs reports whether a connection with this local address can come from a listener at
// addr.
func belongs(local, addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.TCPAddr:
		l, ok := local.(*net.TCPAddr)
		return ok && l.Port == a.Port && (len(a.IP) == 0 || a.IP.IsUnspecified() || l.IP.Equal(a.IP))
	case *net.UnixAddr:
		l, ok := local.(*net.UnixAddr)
		return ok && l.Net == a.Net && l.Name == a.Name
	}
	return false
}
