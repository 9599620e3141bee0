//go:build !unix || aix

package conn

import "syscall"

func unread(syscall.Conn) bool { return false }
