package sharedsocket

import "syscall"

// AwaitShutdown waits until a process that has socket s calls shutdown(2) on it for reading, which
// wakes no read of package net. It returns false when stop is closed, or if it can't wait: only Linux tells.
func AwaitShutdown(s syscall.Conn, stop <-chan struct{}) bool { return awaitShutdown(s, stop) }

// TellShutdown tells every process that waits in AwaitShutdown for s, if s was shut down for writing.
func TellShutdown(s syscall.Conn) { tellShutdown(s) }
