package worker

import (
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// latent is the listener of a worker on trial: a shared socket that stands in no poller
// before it is used. From Go's poller, a socket wakes its process up for each connection
// that another process accepts, and a worker on trial leaves them all to others.
type latent struct {
	addr net.Addr

	mu sync.Mutex
	fd *descriptor.FD // owned; closed when ln is made, or by Close
	ln netListener    // nil before the first use
}

// netListener is what package net makes of a descriptor: a *net.TCPListener or a *net.UnixListener.
type netListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(time.Time) error
}

// unlessHeldOff returns ln, or takes fd over in its place where the worker is on trial.
func (w *Worker) unlessHeldOff(ln net.Listener, fd *descriptor.FD) net.Listener {
	own, ok := ln.(netListener)
	if !ok || w.times.Load().HoldOff <= 0 {
		return ln
	}
	_ = own.Close() // only this copy of it
	return &latent{addr: own.Addr(), fd: descriptor.New(fd.Take())}
}

// awake returns package net's listener, for an operation of that name.
func (s *latent) awake(op string) (netListener, error) {
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
		return nil, s.failed(op, err) // no descriptor left, say: the next use tries again
	}
	s.ln = ln.(netListener) // as the one before it
	_ = s.fd.Close()        // ln has its own
	return s.ln, nil
}

func (s *latent) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: s.addr.Network(), Addr: s.addr, Err: err}
}

// Accept is package net's.
func (s *latent) Accept() (net.Conn, error) {
	ln, err := s.awake("accept")
	if err != nil {
		return nil, err
	}
	return ln.Accept()
}

// Close closes this process's copy of the socket, as package net's does.
func (s *latent) Close() error {
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

// Addr is the socket's address.
func (s *latent) Addr() net.Addr { return s.addr }

// SetDeadline is package net's.
func (s *latent) SetDeadline(t time.Time) error {
	ln, err := s.awake("set")
	if err != nil {
		return err
	}
	return ln.SetDeadline(t)
}

// SyscallConn is package net's.
func (s *latent) SyscallConn() (syscall.RawConn, error) {
	ln, err := s.awake("raw-control")
	if err != nil {
		return nil, err
	}
	return ln.SyscallConn()
}
