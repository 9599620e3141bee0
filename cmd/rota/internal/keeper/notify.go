//go:build linux

package keeper

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// inbox is the socket that NOTIFY_SOCKET names.
type inbox struct {
	conn *net.UnixConn
	raw  syscall.RawConn
	b    []byte
	oob  []byte
}

// maxFiles is how many descriptors a datagram can carry.
const maxFiles = 253

func openInbox(name string) (*inbox, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	i := &inbox{conn: conn, b: make([]byte, 1<<16)}
	i.oob = make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*maxFiles))
	i.raw, err = conn.SyscallConn()
	if err == nil {
		control := i.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
		err = errors.Join(control, err)
	}
	if err != nil {
		_ = conn.Close() // nothing was written to it
		return nil, err
	}
	return i, nil
}

// await waits until there is a datagram. It fails when the inbox was closed.
func (i *inbox) await() error {
	return i.raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), nil, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err != unix.EAGAIN && err != unix.EINTR
	})
}

// next returns the next datagram. ok is false if there is none now.
func (i *inbox) next() (m message, ok bool) {
	var n, oobn int
	err := i.raw.Control(func(fd uintptr) {
		var err error
		for err = unix.EINTR; err == unix.EINTR; {
			n, oobn, _, _, err = unix.Recvmsg(int(fd), i.b, i.oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		}
		ok = err == nil
	})
	if err != nil || !ok {
		return m, false
	}
	return parse(i.b[:n], i.oob[:oobn]), true
}

func (i *inbox) close() { _ = i.conn.Close() } // nothing was written to it
