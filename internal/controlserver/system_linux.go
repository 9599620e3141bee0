//go:build linux

package controlserver

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peer returns who has connected, as the kernel says, or ErrDenied.
func peer(c *net.UnixConn) (who string, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return "", err
	}
	var cred *unix.Ucred
	cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if cerr != nil || err != nil {
		return "", ErrDenied
	}
	if !mayControl(cred.Uid) {
		return "", ErrDenied
	}
	return fmt.Sprintf("uid %d pid %d", cred.Uid, cred.Pid), nil
}

// private sets the mode of the socket's file to 0600 before it is bound.
func private(_, _ string, c syscall.RawConn) (err error) {
	cerr := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, cerr)
}
