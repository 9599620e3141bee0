//go:build !linux

package bind

import (
	"errors"
	"net"
)

// IsShut reports false: only Linux tells.
func IsShut(int, bool, net.Addr) bool { return false }

func revive(int, *net.TCPAddr, int) error { return errors.ErrUnsupported }

func setReuse(int, int) (int, error) { return 0, errors.ErrUnsupported }

// EndAccepts does nothing.
func EndAccepts(int) {}
