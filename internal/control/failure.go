package control

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/rota-go/rota/internal/wire"
)

// The kinds of error that net.Listen gives, as FailedBody.Kind.
const (
	kindSyscall = "syscall"
	kindErrno   = "errno"
	kindAddr    = "addr"
	kindNetwork = "network"
	kindDNS     = "dns"
	kindText    = "text"
)

// EncodeError takes an error of package net apart, so that DecodeError can put
// the same error together in another process: same types, same text, same
// answers of errors.Is.
func EncodeError(err error) wire.FailedBody {
	var f wire.FailedBody
	var op *net.OpError
	if errors.As(err, &op) {
		f.Op, f.Net = op.Op, op.Net
		if op.Addr != nil {
			f.Addr, f.AddrNet = op.Addr.String(), op.Addr.Network()
		}
		err = op.Err
	}
	encodeCause(&f, err)
	return f
}

func encodeCause(f *wire.FailedBody, err error) {
	var (
		call    *os.SyscallError
		errno   syscall.Errno
		addr    *net.AddrError
		network net.UnknownNetworkError
		dns     *net.DNSError
	)
	switch {
	case errors.As(err, &call) && errors.As(call.Err, &errno):
		f.Kind, f.Syscall, f.Errno = kindSyscall, call.Syscall, int(errno)
	case errors.As(err, &addr):
		f.Kind, f.Text, f.Name = kindAddr, addr.Err, addr.Addr
	case errors.As(err, &network):
		f.Kind, f.Text = kindNetwork, string(network)
	case errors.As(err, &dns):
		f.Kind, f.Text, f.Name, f.Server = kindDNS, dns.Err, dns.Name, dns.Server
		f.Flags = bit(dns.IsTimeout, 1) | bit(dns.IsTemporary, 2) | bit(dns.IsNotFound, 4)
	case errors.As(err, &errno):
		f.Kind, f.Errno, f.Text = kindErrno, int(errno), err.Error()
	default:
		f.Kind, f.Text = kindText, err.Error()
	}
}

func bit(set bool, b int) int {
	if set {
		return b
	}
	return 0
}

// DecodeError puts an error together again.
func DecodeError(f wire.FailedBody) error {
	cause := decodeCause(f)
	if f.Op == "" {
		return cause
	}
	op := &net.OpError{Op: f.Op, Net: f.Net, Err: cause}
	if f.AddrNet != "" {
		op.Addr = address{f.AddrNet, f.Addr}.resolve()
	}
	return op
}

func decodeCause(f wire.FailedBody) error {
	switch f.Kind {
	case kindSyscall:
		return os.NewSyscallError(f.Syscall, syscall.Errno(f.Errno))
	case kindErrno:
		return &errnoError{f.Text, syscall.Errno(f.Errno)}
	case kindAddr:
		return &net.AddrError{Err: f.Text, Addr: f.Name}
	case kindNetwork:
		return net.UnknownNetworkError(f.Text)
	case kindDNS:
		return &net.DNSError{Err: f.Text, Name: f.Name, Server: f.Server,
			IsTimeout: f.Flags&1 != 0, IsTemporary: f.Flags&2 != 0, IsNotFound: f.Flags&4 != 0}
	}
	return errors.New(f.Text)
}

// errnoError is an errno with more words around it than its own.
type errnoError struct {
	text  string
	errno syscall.Errno
}

func (e *errnoError) Error() string { return e.text }
func (e *errnoError) Unwrap() error { return e.errno }

// address is a net.Addr as text.
type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

// resolve gives the type that package net would have used. The text is numeric
// but for a port's or a zone's name, so nothing is asked of the network.
func (a address) resolve() net.Addr {
	var addr net.Addr
	var err error
	switch a.network {
	case "tcp":
		addr, err = net.ResolveTCPAddr(a.network, a.text)
	case "udp":
		addr, err = net.ResolveUDPAddr(a.network, a.text)
	case "unix", "unixgram", "unixpacket":
		return &net.UnixAddr{Name: a.text, Net: a.network}
	default:
		return a
	}
	if err != nil {
		return a
	}
	return addr
}
