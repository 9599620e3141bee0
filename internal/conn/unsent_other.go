//go:build !linux

package conn

import "net"

func unsent(*net.TCPConn) bool      { return false }
func unreceived(*net.UnixConn) bool { return false }
