//go:build !linux

package descriptor

import (
	"errors"
	"net"
)

func closeFD(int) error { return errors.ErrUnsupported }

func dupAbove(int, int) (int, error) { return -1, errors.ErrUnsupported }

func createMemory(string) (int, error) { return -1, errors.ErrUnsupported }

// UnixConn is not supported here. It takes f.
func (f *FD) UnixConn() (*net.UnixConn, error) { return nil, errors.ErrUnsupported }

// TakeConn is not supported here. It takes f.
func (f *FD) TakeConn() (net.Conn, error) { return nil, errors.ErrUnsupported }

// SetNonblock is not supported here.
func (f *FD) SetNonblock() error { return errors.ErrUnsupported }

// SetNonblock is not supported here.
func SetNonblock(int) error { return errors.ErrUnsupported }

// Listener is not supported here.
func (f *FD) Listener() (net.Listener, error) { return nil, errors.ErrUnsupported }

// PacketConn is not supported here.
func (f *FD) PacketConn() (net.PacketConn, error) { return nil, errors.ErrUnsupported }
