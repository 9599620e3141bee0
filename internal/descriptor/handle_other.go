//go:build !linux

package descriptor

import (
	"errors"
	"net"
)

func (f *FD) conn() (net.Conn, error) { return nil, errors.ErrUnsupported }

func (f *FD) listens() (bool, error) { return false, errors.ErrUnsupported }

func (f *FD) connected() (bool, error) { return false, errors.ErrUnsupported }
