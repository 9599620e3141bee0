package handover

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/rota-go/rota/internal/descriptor"
)

// Socket is a listening socket of the receiver.
type Socket interface {
	Addr() net.Addr
	// Put has the program accept c. It owns c. It is called from the goroutine of Serve.
	Put(c net.Conn)
}

// Sockets are the listening sockets of the receiver. The methods are called from the
// goroutine of Serve.
type Sockets interface {
	// Socket returns the socket with this cookie; nil: there is none, or it takes no more
	// connections.
	Socket(cookie uint64) Socket
	// Starts and Ends are called before and after the connections of an offer are taken.
	Starts()
	Ends()
}

// Receiver is the receiver's end of a pair.
type Receiver struct {
	pair    *net.UnixConn
	sockets Sockets
}

// NewReceiver returns a Receiver for one end of a pair. It owns fd, also when it fails.
func NewReceiver(fd *descriptor.FD, sockets Sockets) (*Receiver, error) {
	pair, err := fd.UnixConn()
	if err != nil {
		return nil, err
	}
	return &Receiver{pair, sockets}, nil
}

// Close closes the pair. Serve returns.
func (r *Receiver) Close() { _ = r.pair.Close() } // nothing is sent that could be lost

// Serve takes connections until the leaving worker closes the pair, or sends what it must
// not; then it closes the pair. The error is nil at the end of the pair.
func (r *Receiver) Serve() error {
	defer r.Close()
	for {
		if err := r.next(); errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// next handles an offer. What was taken is put into use when the answer has been sent.
func (r *Receiver) next() error {
	cookies, fds, err := r.receive()
	if err != nil {
		return err
	}
	defer descriptor.CloseAll(fds)
	r.sockets.Starts()
	defer r.sockets.Ends()
	conns, sockets, taken := make([]net.Conn, len(cookies)), make([]Socket, len(cookies)), make([]bool, len(cookies))
	for i, fd := range fds {
		conns[i], sockets[i], err = r.take(cookies[i], fd)
		if err != nil {
			break
		}
		taken[i] = conns[i] != nil
	}
	if err == nil {
		_, err = r.pair.Write(appendAnswer(nil, taken))
	}
	for i, c := range conns {
		if c != nil && err == nil {
			sockets[i].Put(c)
		} else if c != nil {
			_ = c.Close() // the other process still has it
		}
	}
	return err
}

// receive receives an offer. There may be fewer descriptors than cookies, where this
// process has too many open already; they are the first of them.
func (r *Receiver) receive() ([]uint64, []*descriptor.FD, error) {
	b, oob := make([]byte, offerSize+1), make([]byte, rightsSize)
	n, oobn, _, _, err := r.pair.ReadMsgUnix(b, oob)
	if err != nil {
		return nil, nil, err
	}
	fds, _ := descriptor.FromRights(oob[:oobn]) // whatever else is there is passed over
	if n == 0 {
		descriptor.CloseAll(fds)
		return nil, nil, io.EOF
	}
	cookies, err := parseOffer(b[:n])
	if err == nil && len(fds) > len(cookies) {
		err = fmt.Errorf("%w: %d descriptors for %d connections", ErrMessage, len(fds), len(cookies))
	}
	if err != nil {
		descriptor.CloseAll(fds)
		return nil, nil, err
	}
	return cookies, fds, nil
}

// take returns the connection of fd and the socket that it belongs to, nil if it can't be
// taken. The error says that it is none that may be offered.
func (r *Receiver) take(cookie uint64, fd *descriptor.FD) (net.Conn, Socket, error) {
	s := r.sockets.Socket(cookie)
	if s == nil {
		return nil, nil, nil
	}
	if err := checkConn(fd, s.Addr()); err != nil {
		return nil, nil, err
	}
	c, err := fd.TakeConn()
	if err != nil {
		return nil, nil, nil // out of descriptors, for example
	}
	return c, s, nil
}

// checkConn fails unless fd is a stream socket with a peer, and with a local address that
// a connection to a listener at addr has.
func checkConn(fd *descriptor.FD, addr net.Addr) error {
	local, err := streamAddr(fd)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if !belongs(local, addr) {
		return fmt.Errorf("%w: a connection of %v for the socket at %v", ErrMessage, local, addr)
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
		return ok && l.Name == a.Name
	}
	return false
}
