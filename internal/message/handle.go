package message

import (
	"fmt"
	"net"
	"os"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/ipc"
)

// sendable is a handle of ipc's From functions, or one that has been received.
type sendable interface {
	Dup() (*descriptor.FD, error) // the caller's
	Sent()                        // a duplicate is on its way: a handle that moves is given up
}

// dupAll returns descriptors of all handles, or of none. They are the caller's.
func dupAll(handles []ipc.Handle) (fds []*descriptor.FD, err error) {
	for i, h := range handles {
		fd, err := dup(h)
		if err != nil {
			descriptor.CloseAll(fds)
			return nil, fmt.Errorf("handle %d of %d: %w: %w", i+1, len(handles), ipc.ErrHandle, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func dup(h ipc.Handle) (*descriptor.FD, error) {
	s, ok := h.(sendable)
	if !ok {
		return nil, fmt.Errorf("%T is not a handle of package ipc", h)
	}
	return s.Dup()
}

// received is a handle that came with a message. It shares fd with its packet.
type received struct{ fd *descriptor.FD }

func (r received) Conn() (c net.Conn, err error) {
	err = r.use("conn", func() error { c, err = r.fd.Conn(); return err })
	return c, err
}

func (r received) Listener() (ln net.Listener, err error) {
	err = r.use("listener", func() error { ln, err = r.fd.ListenerOnly(); return err })
	return ln, err
}

func (r received) PacketConn() (c net.PacketConn, err error) {
	err = r.use("packet conn", func() error { c, err = r.fd.PacketConn(); return err })
	return c, err
}

func (r received) File() (f *os.File, err error) {
	err = r.use("file", func() error { f, err = r.fd.File("handle"); return err })
	return f, err
}

func (r received) Close() error { return r.fd.Close() }

// use has open make something of a duplicate of fd, and then closes fd.
func (r received) use(kind string, open func() error) error {
	if r.fd.Int() < 0 {
		return fmt.Errorf("%w: it is used up, or was closed when the function that it was given to returned: %w", ipc.ErrHandle, net.ErrClosed)
	}
	if err := open(); err != nil {
		return fmt.Errorf("%w: it is not a %s: %w", ipc.ErrHandle, kind, err)
	}
	return r.fd.Close()
}

// Dup returns a duplicate of fd, for a handle that is passed on.
func (r received) Dup() (*descriptor.FD, error) {
	if r.fd.Int() < 0 {
		return nil, net.ErrClosed
	}
	return r.fd.Dup()
}

// Sent closes fd: a handle that is passed on is used up here.
func (r received) Sent() { _ = r.fd.Close() }
