//go:build linux || darwin || freebsd

package listentest

import (
	"net"
	"syscall"
	"testing"
)

func TestSuiteNoticesFlags(t *testing.T) {
	w := newWorkshop(t)
	for _, b := range []broken{
		{"Read blocks its thread", "tcp/ConnFlags", "non-blocking is false", w.descriptor(func(fd int) { syscall.SetNonblock(fd, false) })},
		{"children inherit the connection", "tcp/ConnFlags", "close-on-exec false", w.descriptor(func(fd int) {
			syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, 0)
		})},
	} {
		b.suite.Only = b.only
		_, output := run(b.suite.run)
		b.mustBeNoticed(t, output)
	}
}

// descriptor returns net.Listen with a change to the descriptors of its connections.
func (w *workshop) descriptor(harm func(fd int)) suite {
	return w.conn(func(c *fakeConn) net.Conn {
		raw, err := c.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { harm(int(fd)) })
		}
		if err != nil {
			w.t.Error(err)
		}
		return c
	})
}
