//go:build linux

package keeper

import (
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// lifeline is the socket that ROTA_KEEPER names. Masters connect to it; their connections end with
// this process.
type lifeline struct {
	ln        *net.UnixListener
	strangers atomic.Int32
}

// maxStrangers bounds the connections of other users.
const maxStrangers = 64

func openLifeline(name string) (*lifeline, error) {
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l := &lifeline{ln: ln}
	go l.accept()
	return l, nil
}

func (l *lifeline) accept() {
	for {
		c, err := l.ln.AcceptUnix()
		if err != nil {
			return
		}
		go l.hold(c)
	}
}

// hold has c open until the other end closes it. What comes is read and has no effect.
func (l *lifeline) hold(c *net.UnixConn) {
	defer c.Close()
	if !isTrusted(c) {
		defer l.strangers.Add(-1)
		if l.strangers.Add(1) > maxStrangers {
			return
		}
	}
	b := make([]byte, 1)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// isTrusted reports whether c is from root or from this process's user, who could end this process
// too.
func isTrusted(c *net.UnixConn) (yes bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		yes = err == nil && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid())
	})
	return yes
}
