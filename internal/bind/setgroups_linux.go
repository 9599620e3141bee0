//go:build linux && !386 && !arm

package bind

import "golang.org/x/sys/unix"

const setgroups = unix.SYS_SETGROUPS
