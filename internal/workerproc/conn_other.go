//go:build !unix || aix

package workerproc

import "syscall"

func unread(syscall.Conn) bool { return false }
