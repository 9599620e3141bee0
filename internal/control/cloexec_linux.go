//go:build linux

package control

import "golang.org/x/sys/unix"

func closeOnExec(n int) { unix.CloseOnExec(n) }
