package sharedsocket

import (
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// LazyListener is the listener of a worker on trial: a shared socket that is not in Go's
// poller before it is used. In the poller, it would wake this process for each connection
// that another process accepts, and a worker on trial leaves all of them to others.
type LazyListener struct {
	addr net.Addr
	kind netListener // a closed one, of the type of ln

	mu sync.Mutex
	fd *descriptor.FD // owned; closed when ln is made, or by Close
	ln netListener    // nil before the first use
}

// netListener is a *net.TCPListener or a *net.UnixListener.
type netListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(time.Time) error
}

// Lazy returns a LazyListener of the socket of ln, or ln if it is not a listener of package net.
// In the first case ln is closed, and fd owned by the result.
func Lazy(ln net.Listener, fd *descriptor.FD) net.Listener {
	own, ok := ln.(netListener)
	if !ok {
		return ln
	}
	_ = own.Close() // only this copy of it
	return &LazyListener{addr: own.Addr(), kind: own, fd: descriptor.New(fd.Take())}
}

// Kind returns a closed listener of the type that package net has for the socket.
func (s *LazyListener) Kind() net.Listener { return s.kind }

// open returns package net's listener. op names the operation, for the error.
func (s *LazyListener) open(op string) (netListener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln != nil {
		return s.ln, nil
	}
	if s.fd.Int() < 0 {
		return nil, s.failed(op, net.ErrClosed)
	}
	ln, err := s.fd.Listener()
	if err != nil {
		return nil, s.failed(op, err) // out of descriptors, for example; the next use tries again
	}
	s.ln = ln.(netListener) // of the same kind as before
	_ = s.fd.Close()        // ln has its own
	return s.ln, nil
}

func (s *LazyListener) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: s.addr.Network(), Addr: s.addr, Err: err}
}

// Accept is that of package net.
func (s *LazyListener) Accept() (net.Conn, error) {
	ln, err := s.open("accept")
	if err != nil {
		return nil, err
	}
	return ln.Accept()
}

// Close closes this process's copy of the socket, as that of package net.
func (s *LazyListener) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ln != nil:
		return s.ln.Close()
	case s.fd.Int() < 0:
		return s.failed("close", net.ErrClosed)
	}
	return s.fd.Close()
}

// Addr returns the socket's address.
func (s *LazyListener) Addr() net.Addr { return s.addr }

// SetDeadline is that of package net.
func (s *LazyListener) SetDeadline(t time.Time) error {
	ln, err := s.open("set")
	if err != nil {
		return err
	}
	return ln.SetDeadline(t)
}

// SyscallConn is that of package net.
func (s *LazyListener) SyscallConn() (syscall.RawConn, error) {
	ln, err := s.open("raw-control")
	if err != nil {
		return nil, err
	}
	return ln.SyscallConn()
}
