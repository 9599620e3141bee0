package descriptor

import (
	"errors"
	"net"
	"os"
)

// The functions of this file are for descriptors that another process has sent, and that
// may be anything: package net would make a listener or a conn of any socket.

// Conn returns a net.Conn for a duplicate of f, which must be a connected socket. The
// caller closes both.
func (f *FD) Conn() (net.Conn, error) {
	if on, err := f.listens(); err != nil || on {
		return nil, orElse(err, "it listens")
	}
	if to, err := f.connected(); err != nil || !to {
		return nil, orElse(err, "it is a packet socket without a peer")
	}
	return f.conn()
}

// ListenerOnly is Listener, and fails if f doesn't listen.
func (f *FD) ListenerOnly() (net.Listener, error) {
	if on, err := f.listens(); err != nil || !on {
		return nil, orElse(err, "it doesn't listen")
	}
	return f.Listener()
}

// File returns an *os.File for a duplicate of f. The caller closes both.
func (f *FD) File(name string) (*os.File, error) {
	d, err := f.Dup()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(d.Take()), name), nil
}

// orElse returns err; if that is nil, an error with text.
func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
