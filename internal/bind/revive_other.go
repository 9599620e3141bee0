//go:build !linux

package bind

import (
	"errors"
	"net"
)

// IsShut reports false: only Linux tells.
func IsShut(int) bool { return false }

func revive(int, *net.TCPAddr, int) error { return errors.ErrUnsupported }

// IsShutForReading reports false: only Linux tells.
func IsShutForReading(int) bool { return false }
