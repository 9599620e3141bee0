// Package descriptor owns open descriptors: sockets and files that travel over a link or
// wait in a table. An FD has one owner, who closes it. Nothing here enters the poller
// before a conn, a listener or a file is made of it.
package descriptor

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// FD owns one descriptor. It is deliberately no *os.File: that would enter the
// poller, and a master in whose poller a listening socket stands is woken by
// every connection that its workers accept.
type FD struct{ n atomic.Int64 }

// New takes descriptor n. The owner of the FD closes it.
func New(n int) *FD {
	f := &FD{}
	f.n.Store(int64(n))
	return f
}

// Int returns the descriptor, which stays f's; -1 after Close or Take.
func (f *FD) Int() int { return int(f.n.Load()) }

// Take returns the descriptor, which is the caller's from here on.
func (f *FD) Take() int { return int(f.n.Swap(-1)) }

// Close closes the descriptor. Closing twice does nothing.
func (f *FD) Close() error {
	n := f.Take()
	if n < 0 {
		return nil
	}
	return closeFD(n)
}

// Dup returns a second descriptor, close-on-exec, of the same open file.
func (f *FD) Dup() (*FD, error) {
	n, err := dupFD(f.Int())
	if err != nil {
		return nil, fmt.Errorf("dup descriptor %d: %w", f.Int(), err)
	}
	return New(n), nil
}

// CloseAll closes all of fds. Nothing was written to them, so no error can be lost.
func CloseAll(fds []*FD) {
	for _, f := range fds {
		_ = f.Close() // nothing was written to it
	}
}

// DupOf returns a second descriptor of what s has open: a net.Listener, a
// net.Conn, an *os.File. s and its O_NONBLOCK stay as they are, which its File
// method would not promise.
func DupOf(s any) (fd *FD, err error) {
	sc, ok := s.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no descriptor: %w", s, errors.ErrUnsupported)
	}
	raw, err := rawConn(sc)
	if err != nil {
		return nil, err
	}
	var n int
	var dupErr error
	if err := raw.Control(func(d uintptr) { n, dupErr = dupFD(int(d)) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("fcntl", dupErr)
	}
	return New(n), nil
}

// rawConn is s.SyscallConn, which in package net panics where s is a nil pointer.
func rawConn(s syscall.Conn) (raw syscall.RawConn, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%T: %w: panic: %v", s, os.ErrInvalid, p)
		}
	}()
	return s.SyscallConn()
}
