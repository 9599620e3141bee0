//go:build !linux

package sharedsocket

import "syscall"

func awaitShutdown(syscall.Conn, <-chan struct{}) bool { return false }

func tellShutdown(syscall.Conn) {}
