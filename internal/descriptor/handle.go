package descriptor

import (
	"errors"
	"net"
	"os"
)

// A descriptor that the program of another process has sent may be anything, and
// package net would make a listener or a conn of any socket.

// Conn makes a net.Conn of f, which stays the caller's.
func (f *FD) Conn() (net.Conn, error) {
	if on, err := f.listens(); err != nil || on {
		return nil, orElse(err, "it listens")
	}
	if to, err := f.connected(); err != nil || !to {
		return nil, orElse(err, "it sends packets, and to nobody in particular")
	}
	return f.conn()
}

// ListenerOnly is Listener for a descriptor of unknown kind.
func (f *FD) ListenerOnly() (net.Listener, error) {
	if on, err := f.listens(); err != nil || !on {
		return nil, orElse(err, "it doesn't listen")
	}
	return f.Listener()
}

// File makes an *os.File of f, which stays the caller's.
func (f *FD) File(name string) (*os.File, error) {
	d, err := f.Dup()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(d.Take()), name), nil
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
