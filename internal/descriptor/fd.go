// Package descriptor has FD, an open descriptor with one owner, who closes it: of a socket
// or file that is sent over a link or kept in the master's table. A descriptor doesn't
// enter the runtime's poller until a conn, a listener or a file is made of it.
package descriptor

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// FD owns one descriptor. It is not an *os.File, because that would enter the poller, and
// a listening socket in the master's poller wakes the master for every connection that its
// workers accept.
type FD struct {
	n     atomic.Int64
	quick atomic.Bool // Close doesn't block
}

// New returns an FD that owns descriptor n. The owner of the FD closes it.
func New(n int) *FD {
	f := &FD{}
	f.n.Store(int64(n))
	return f
}

// Int returns the descriptor, which f still owns; -1 after Close or Take.
func (f *FD) Int() int { return int(f.n.Load()) }

// Take returns the descriptor, which the caller owns from now on; -1 after Close or Take.
func (f *FD) Take() int { return int(f.n.Swap(-1)) }

// Quick says that Close doesn't block, because this process has opened the file, or keeps another descriptor
// of it. A Discarder closes f at once.
func (f *FD) Quick() { f.quick.Store(true) }

// Close closes the descriptor. After Close or Take it does nothing.
func (f *FD) Close() error {
	n := f.Take()
	if n < 0 {
		return nil
	}
	return closeFD(n)
}

// Dup returns a duplicate of the descriptor, close-on-exec, which the caller closes.
func (f *FD) Dup() (*FD, error) {
	n, err := dupAbove(f.Int(), 0)
	if err != nil {
		return nil, fmt.Errorf("dup descriptor %d: %w", f.Int(), err)
	}
	return New(n), nil
}

// DupAbove returns a duplicate of descriptor n, close-on-exec, that is lowest or higher. The
// caller closes it. It fails with EINVAL if the limit of open files is not above lowest.
func DupAbove(n, lowest int) (int, error) { return dupAbove(n, lowest) }

// NewMemory returns a file in memory, which has no bytes, can be sealed, and is never executed. The
// caller closes it. The name is for /proc.
func NewMemory(name string) (*FD, error) {
	n, err := createMemory(name)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return New(n), nil
}

// CloseAll closes all of fds. Nothing was written to them, so no error can be lost.
func CloseAll(fds []*FD) {
	for _, f := range fds {
		_ = f.Close() // nothing was written to it
	}
}

// DupOf returns a duplicate of the descriptor of s, a net.Listener, net.Conn or *os.File.
// The caller closes it, and s. Unlike the File method of s, DupOf doesn't change
// O_NONBLOCK, which both descriptors share.
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
	if err := raw.Control(func(d uintptr) { n, dupErr = dupAbove(int(d), 0) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("fcntl", dupErr)
	}
	return New(n), nil
}

// rawConn returns s.SyscallConn(). Where that panics, as package net does if s is a nil
// pointer, it returns an error.
func rawConn(s syscall.Conn) (raw syscall.RawConn, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%T: %w: panic: %v", s, os.ErrInvalid, p)
		}
	}()
	return s.SyscallConn()
}
