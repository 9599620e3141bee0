//go:build !linux

package control

import (
	"errors"
	"net"
)

func closeFD(int) error { return errors.ErrUnsupported }

func dupFD(int) (int, error) { return -1, errors.ErrUnsupported }

func (f *FD) unixConn() (*net.UnixConn, error) { return nil, errors.ErrUnsupported }

// SetNonblock is not supported here.
func (f *FD) SetNonblock() error { return errors.ErrUnsupported }

// SetNonblock is not supported here.
func SetNonblock(int) error { return errors.ErrUnsupported }

// Listener is not supported here.
func (f *FD) Listener() (net.Listener, error) { return nil, errors.ErrUnsupported }

// PacketConn is not supported here.
func (f *FD) PacketConn() (net.PacketConn, error) { return nil, errors.ErrUnsupported }
