//go:build !linux

package control

import (
	"errors"
	"net"
	"os"
)

// Conn is not supported here.
func (f *FD) Conn() (net.Conn, error) { return nil, errors.ErrUnsupported }

// ListenerOnly is not supported here.
func (f *FD) ListenerOnly() (net.Listener, error) { return nil, errors.ErrUnsupported }

// File is not supported here.
func (f *FD) File(string) (*os.File, error) { return nil, errors.ErrUnsupported }
