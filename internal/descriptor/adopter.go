package descriptor

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
)

// Adopter makes many conns of package net from descriptors. That package only takes an os.File,
// and the os.File of a socket is watched by the poller for as long as it exists. So the Adopter
// has one for a descriptor of its own, in whose place (dup3) each socket is put for a moment.
// It is used by one goroutine at a time, and only works on Linux.
type Adopter struct {
	file  *os.File
	blank *FD // what is in the place of file's descriptor otherwise
}

// NewAdopter returns an Adopter. The caller closes it.
func NewAdopter() (*Adopter, error) {
	blank, err := blankFile()
	if err != nil {
		return nil, err
	}
	place, err := blank.Dup()
	if err != nil {
		_ = blank.Close()
		return nil, err
	}
	return &Adopter{os.NewFile(uintptr(place.Take()), "socket"), blank}, nil
}

// Conn returns a conn for a duplicate of f. The caller closes both. Until the next Conn or Clear
// the Adopter has a duplicate too.
func (a *Adopter) Conn(f *FD) (net.Conn, error) {
	if err := a.put(f); err != nil {
		return nil, err
	}
	return net.FileConn(a.file)
}

// Take is Conn for a descriptor that it owns: it needs no other that is free. If it fails the Adopter
// keeps the socket for Again.
func (a *Adopter) Take(f *FD) (net.Conn, error) {
	err := a.put(f)
	_ = f.Close() // what is in its place is another of the socket
	if err != nil {
		return nil, err
	}
	return a.Again()
}

// Again returns another conn of what the Adopter has.
func (a *Adopter) Again() (net.Conn, error) { return net.FileConn(a.file) }

// Listeners makes listeners by an Adopter, which it keeps: that takes half as long as FD.Listener, which has the
// poller watch the socket twice. The zero value is ready. It may be used by several goroutines.
type Listeners struct {
	mu      sync.Mutex
	adopter *Adopter // nil until the first listener, and where there is none
}

// Listener is f.Listener.
func (l *Listeners) Listener(f *FD) (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.adopter == nil {
		a, err := NewAdopter()
		if err != nil {
			return f.Listener() // elsewhere than on Linux, and out of descriptors
		}
		l.adopter = a
	}
	return l.adopter.Listener(f)
}

// RunOut reports whether err says that this process or the system has no more descriptors, or no
// memory for them.
func RunOut(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ENOSPC)
}

// Listener returns a listener for a duplicate of f. The caller closes both.
func (a *Adopter) Listener(f *FD) (net.Listener, error) {
	if err := a.put(f); err != nil {
		return nil, err
	}
	defer a.Clear()
	return net.FileListener(a.file)
}

// Clear closes the Adopter's duplicate of the last descriptor.
func (a *Adopter) Clear() { _ = a.put(a.blank) } // fails for neither of two open descriptors

func (a *Adopter) put(f *FD) error { return replace(int(a.file.Fd()), f.Int()) }

// Close closes what the Adopter has.
func (a *Adopter) Close() {
	_ = a.file.Close()
	_ = a.blank.Close()
}
