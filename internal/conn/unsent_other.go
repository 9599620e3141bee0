//go:build !linux

package conn

import "net"

func unsent(*net.TCPConn) bool { return false }
