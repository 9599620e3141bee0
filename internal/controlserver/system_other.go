//go:build !linux

package controlserver

import (
	"errors"
	"net"
	"syscall"
)

// peer refuses every client: no process is a master on this platform.
func peer(*net.UnixConn) (who string, err error) { return "", ErrDenied }

// private fails: no process is a master on this platform.
func private(_, _ string, _ syscall.RawConn) error { return errors.ErrUnsupported }
