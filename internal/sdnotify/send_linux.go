//go:build linux

package sdnotify

import (
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
	_, _, err = c.WriteMsgUnix([]byte(state), unix.UnixRights(fd), nil)
	return err
}
