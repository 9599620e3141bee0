//go:build linux

package thread

import "golang.org/x/sys/unix"

func isFirst() bool { return unix.Gettid() == unix.Getpid() }
