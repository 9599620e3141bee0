//go:build !linux

package control

import (
	"errors"
	"net"
	"os"
)

func (f *FD) conn() (net.Conn, error) { return nil, errors.ErrUnsupported }

func (f *FD) listenerOnly() (net.Listener, error) { return nil, errors.ErrUnsupported }

func (f *FD) osFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }
