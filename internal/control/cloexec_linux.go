//go:build linux

package control

import "golang.org/x/sys/unix"

// CloseOnExec keeps descriptor n from processes that this one starts.
func CloseOnExec(n int) { unix.CloseOnExec(n) }
