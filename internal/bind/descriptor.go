package bind

import (
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
)

// Descriptor returns a second descriptor of the socket that this process has open
// as number n; n itself stays whose it is. The socket is one for datagrams, or one
// that listens: if it doesn't yet, it does now. The error is EBADF, ENOTSOCK or
// EINVAL, with what is wrong.
func (o Options) Descriptor(n int, packet bool) (*descriptor.FD, error) {
	if err := check(n, packet); err != nil {
		return nil, err
	}
	if !packet {
		if err := o.listenOn(n); err != nil {
			return nil, err
		}
	}
	return descriptor.New(n).Dup()
}

// check says what makes descriptor n useless.
func check(n int, packet bool) error {
	kind, err := kindOf(n)
	switch {
	case err != nil:
		return err
	case packet && kind != datagrams:
		return &DescriptorError{"it is no datagram socket", syscall.EINVAL}
	case !packet && kind == datagrams:
		return &DescriptorError{"it is a datagram socket", syscall.EINVAL}
	case packet && connected(n):
		return &DescriptorError{"it is connected", syscall.EINVAL}
	}
	return nil
}

// DescriptorError says what is wrong with a descriptor. errors.Is finds Errno.
type DescriptorError struct {
	What  string
	Errno syscall.Errno
}

func (e *DescriptorError) Error() string { return fmt.Sprintf("%s: %v", e.What, e.Errno) }
func (e *DescriptorError) Unwrap() error { return e.Errno }

// Number reads the address of the networks fd and fdgram.
func Number(address string) (int, error) {
	n, err := strconv.ParseUint(address, 10, 31)
	if err != nil {
		return 0, &DescriptorError{"it is no number of a descriptor, nor the name of one", syscall.EINVAL}
	}
	return int(n), nil
}

func (o Options) listenDescriptor(address string) (net.Listener, error) {
	fd, err := o.byNumber(address, false)
	if err == nil {
		defer fd.Close()
		var ln net.Listener
		if ln, err = fd.Listener(); err == nil {
			if err = o.AfterBind("fd", address, ln); err == nil {
				return ln, nil
			}
			_ = ln.Close() // the program has not seen it
		}
	}
	return nil, &net.OpError{Op: "listen", Net: "fd", Addr: number(address), Err: err}
}

func (o Options) packetDescriptor(address string) (net.PacketConn, error) {
	fd, err := o.byNumber(address, true)
	if err == nil {
		defer fd.Close()
		var pc net.PacketConn
		if pc, err = fd.PacketConn(); err == nil {
			if err = o.AfterBind("fdgram", address, pc); err == nil {
				return pc, nil
			}
			_ = pc.Close() // the program has not seen it
		}
	}
	return nil, &net.OpError{Op: "listen", Net: "fdgram", Addr: number(address), Err: err}
}

func (o Options) byNumber(address string, packet bool) (*descriptor.FD, error) {
	n, err := Number(address)
	if err != nil {
		return nil, err
	}
	return o.Descriptor(n, packet)
}

// number is the address of a socket that was named by its descriptor.
type number string

func (n number) Network() string { return "fd" }
func (n number) String() string  { return string(n) }
