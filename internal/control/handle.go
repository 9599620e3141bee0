package control

import (
	"net"
	"os"
)

// Conn makes a net.Conn of f, which stays the caller's. Something that listens is no
// conn.
func (f *FD) Conn() (net.Conn, error) { return f.conn() }

// ListenerOnly is Listener for a descriptor of unknown kind: package net would make
// a listener of anything.
func (f *FD) ListenerOnly() (net.Listener, error) { return f.listenerOnly() }

// File makes an *os.File of f, which stays the caller's.
func (f *FD) File(name string) (*os.File, error) { return f.osFile(name) }
