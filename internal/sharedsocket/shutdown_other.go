//go:build !linux

package sharedsocket

import "syscall"

// AwaitShutdown returns false: only Linux tells.
func AwaitShutdown(syscall.Conn, <-chan struct{}) bool { return false }

// TellShutdown does nothing.
func TellShutdown(syscall.Conn) {}
