package ipc

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/rota-go/rota/internal/descriptor"
)

// Handle is an open socket or file on its way between two processes. One to send is
// made by a From function; one that came with a [Message] becomes a net.Conn, a
// net.Listener, a net.PacketConn or an *os.File again, once.
//
// A copy of a Handle is the same handle.
type Handle struct {
	source any            // of one to send
	moves  bool           // source is closed when it is sent
	fd     *descriptor.FD // of one that came
}

// FromConn hands c over. Sending it closes c in this process, as soon as the link
// has it; a worker's connection is thereby counted out of the worker's drain. If
// Send fails, c is untouched. What the program has read from c already, into a
// bufio.Reader for example, does not go with it.
//
// A conn that is not a socket of the kernel's (tls.Conn, net.Pipe) can't be sent.
func FromConn(c net.Conn) Handle { return Handle{source: c, moves: true} }

// FromListener shares ln: both processes accept from its queue, each with a copy of
// its own to close. ln stays the caller's.
func FromListener(ln net.Listener) Handle { return Handle{source: ln} }

// FromPacketConn shares c, as FromListener does. c stays the caller's.
func FromPacketConn(c net.PacketConn) Handle { return Handle{source: c} }

// FromFile shares f: its offset too, as every duplicate does. f stays the caller's.
func FromFile(f *os.File) Handle { return Handle{source: f} }

// Conn takes the handle as a connection, which is the caller's to close. A worker's
// drain doesn't wait for it: use rota.Handle with a listener that returns it, or
// worker.OnDisconnect. It fails with ErrHandle where the handle is something else,
// and where it is taken already, and leaves it as it was.
func (h Handle) Conn() (c net.Conn, err error) {
	err = h.take("conn", func() error { c, err = h.fd.Conn(); return err })
	return c, err
}

// Listener takes the handle as a listener, which is the caller's to close. The file
// of a unix socket is not removed by that. Errors are as Conn's.
func (h Handle) Listener() (ln net.Listener, err error) {
	err = h.take("listener", func() error { ln, err = h.fd.ListenerOnly(); return err })
	return ln, err
}

// PacketConn takes the handle as a packet conn, which is the caller's to close.
// Errors are as Conn's.
func (h Handle) PacketConn() (c net.PacketConn, err error) {
	err = h.take("packet conn", func() error { c, err = h.fd.PacketConn(); return err })
	return c, err
}

// File takes the handle as a file, whatever it is. The file is the caller's to
// close. Errors are as Conn's.
func (h Handle) File() (f *os.File, err error) {
	err = h.take("file", func() error { f, err = h.fd.File("handle"); return err })
	return f, err
}

// Close gives up a handle that came. It is for those that are kept longer than the
// function they came to. On one to send, and on one that is taken, it does nothing.
func (h Handle) Close() error {
	if h.fd == nil {
		return nil
	}
	return h.fd.Close()
}

// take has open make something of a duplicate, and gives up the handle's own.
func (h Handle) take(what string, open func() error) error {
	if h.fd == nil {
		return fmt.Errorf("%w: it has not come with a message", ErrHandle)
	}
	if h.fd.Int() < 0 {
		return fmt.Errorf("%w: it is taken, or was closed when the function that it came to returned: %w", ErrHandle, net.ErrClosed)
	}
	if err := open(); err != nil {
		return fmt.Errorf("%w: it is no %s: %w", ErrHandle, what, err)
	}
	return h.fd.Close()
}

// dup returns a descriptor of what h sends.
func (h Handle) dup() (fd *descriptor.FD, err error) {
	switch {
	case h.fd != nil && h.fd.Int() < 0:
		err = net.ErrClosed
	case h.fd != nil:
		fd, err = h.fd.Dup()
	case h.source == nil:
		err = errors.New("it is empty")
	default:
		fd, err = descriptor.DupOf(h.source)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandle, err)
	}
	return fd, nil
}

// sent gives up what was handed over.
func (h Handle) sent() {
	if h.fd != nil {
		_ = h.fd.Close()
	}
	if c, ok := h.source.(net.Conn); ok && h.moves {
		_ = c.Close() // the link has a duplicate, which the other side gets
	}
}
