//go:build linux

package sdnotify

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// sendWith sends a datagram with a descriptor.
func sendWith(fd int, state string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var sent error // WriteMsgUnix refuses datagrams on a connected socket
	err = raw.Write(func(s uintptr) (done bool) {
		sent = unix.Sendmsg(int(s), []byte(state), unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL)
		return sent != unix.EAGAIN
	})
	return errors.Join(err, os.NewSyscallError("sendmsg", sent))
}
