//go:build !linux

package replyaddr

import (
	"errors"
	"net"
)

const controlSpace = 0

func enable(*net.UDPConn, bool) error { return errors.ErrUnsupported }

func parse([]byte) (destination, bool) { return destination{}, false }

func (destination) control(bool) []byte { return nil }

func refused(error) bool { return false }
