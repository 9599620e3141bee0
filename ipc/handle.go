package ipc

import (
	"errors"
	"net"
	"os"

	"github.com/rota-go/rota/internal/descriptor"
)

// Handle is an open socket or file on its way between two processes. A handle to send
// is made by one of the From functions. A handle that came with a [Message] becomes a
// net.Conn, a net.Listener, a net.PacketConn or an *os.File again, once.
//
// Conn, Listener, PacketConn and File return what the handle is. The result is the
// caller's to close, and the handle is used up. They fail with [ErrHandle], and leave
// the handle as it was, if it is something else, if it is used up, or if it did not come
// with a message.
//
// A Handle of another implementation can't be sent.
type Handle interface {
	// Conn returns the handle as a connection. The drain of a worker doesn't wait for
	// it: use rota.Track with a listener that returns it, or worker.OnDisconnect.
	Conn() (net.Conn, error)

	// Listener returns the handle as a listener. Closing it doesn't remove the file of
	// a unix socket.
	Listener() (net.Listener, error)

	// PacketConn returns the handle as a packet conn.
	PacketConn() (net.PacketConn, error)

	// File returns the handle as a file, whatever it is.
	File() (*os.File, error)

	// Close closes a handle that came with a message. It is for handles that are kept
	// longer than the function that they were given to. On a handle to send, and on
	// one that is used up, it does nothing.
	Close() error
}

// FromConn moves c to the other process. Send closes c in this process as soon as the
// link has it; a connection that a worker has accepted is then no longer part of its
// drain. If Send fails, c is as it was. What the program has read from c already, into
// a bufio.Reader for example, does not go with it.
//
// A conn that is not a socket of the kernel (tls.Conn, net.Pipe) can't be sent.
func FromConn(c net.Conn) Handle { return source{of: c, moved: c} }

// FromListener shares ln: both processes accept from its queue, each with a copy of
// its own to close. ln stays the caller's.
func FromListener(ln net.Listener) Handle { return source{of: ln} }

// FromPacketConn shares c, as FromListener does. c stays the caller's.
func FromPacketConn(c net.PacketConn) Handle { return source{of: c} }

// FromFile shares f, with its offset, as every duplicate of a descriptor does. f stays
// the caller's.
func FromFile(f *os.File) Handle { return source{of: f} }

// source is a handle to send. Package message calls Dup and Sent.
type source struct {
	of    any
	moved net.Conn // closed when it has been sent; nil: nothing is
}

// Dup returns a descriptor of what the handle sends. It is the caller's.
func (s source) Dup() (*descriptor.FD, error) {
	if s.of == nil {
		return nil, errors.New("the handle is of nil")
	}
	return descriptor.DupOf(s.of)
}

// Sent closes a conn that has moved: the link has a duplicate for the other process.
func (s source) Sent() {
	if s.moved != nil {
		_ = s.moved.Close()
	}
}

func (s source) Conn() (net.Conn, error)             { return nil, errToSend }
func (s source) Listener() (net.Listener, error)     { return nil, errToSend }
func (s source) PacketConn() (net.PacketConn, error) { return nil, errToSend }
func (s source) File() (*os.File, error)             { return nil, errToSend }
func (s source) Close() error                        { return nil }
