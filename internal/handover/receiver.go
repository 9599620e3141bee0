package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

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
	adopter *descriptor.Adopter // used, and closed, by Serve
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
	return &Receiver{pair, sockets, adopter}, nil
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

// next handles an offer. What was taken is put into use when the answer has been sent.
func (r *Receiver) next() error {
	cookies, fds, err := r.receive()
	if err != nil {
		return err
	}
	defer descriptor.CloseAll(fds)
	defer r.adopter.Clear()
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
	c, err := r.adopter.Conn(fd)
	if lacksDescriptors(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if err := checkConn(c, fd, s.Addr()); err != nil {
		_ = c.Close() // the other process's
		return nil, nil, err
	}
	if c.RemoteAddr() == nil { // the client has gone meanwhile
		_ = c.Close() // the other process still has it
		return nil, nil, nil
	}
	return c, s, nil
}

// lacksDescriptors reports whether err says that this process or the system has no more.
func lacksDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ENOSPC)
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
