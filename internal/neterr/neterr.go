// Package neterr carries an error of package net to another process: Encode takes it
// apart into the body of a link's failed frame, Decode puts it together again with the
// same types, the same text and the same answers of errors.Is.
package neterr

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/rota-go/rota/internal/wire"
)

// The kinds of errors that net.Listen returns, as FailedBody.Kind.
const (
	kindSyscall = "syscall"
	kindErrno   = "errno"
	kindAddr    = "addr"
	kindNetwork = "network"
	kindInvalid = "invalid"
	kindDNS     = "dns"
	kindKnown   = "known"
	kindText    = "text"
)

// known are errors that programs look for with errors.Is, with their names in FailedBody.
// The first that matches is encoded. If the other side doesn't know the name, the error
// there has the text alone.
var known = []struct {
	name string
	err  error
}{
	{"net.ErrClosed", net.ErrClosed},
	{"fs.ErrPermission", fs.ErrPermission},
	{"fs.ErrNotExist", fs.ErrNotExist},
	{"fs.ErrExist", fs.ErrExist},
	{"fs.ErrClosed", fs.ErrClosed},
	{"fs.ErrInvalid", fs.ErrInvalid},
	{"errors.ErrUnsupported", errors.ErrUnsupported},
	{"context.Canceled", context.Canceled},
	{"context.DeadlineExceeded", context.DeadlineExceeded},
	{"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded},
}

// Encode takes an error of package net apart, so that Decode can make the same error in
// another process: same types, same text, same answers of errors.Is. Of any other error it
// keeps the text, and the answers of errors.Is for the errors of the system and of the
// standard library.
func Encode(err error) wire.FailedBody {
	var f wire.FailedBody
	if op, ok := err.(*net.OpError); ok {
		f.Op, f.Net = op.Op, op.Net
		if op.Addr != nil {
			f.Addr, f.AddrNet = op.Addr.String(), op.Addr.Network()
		}
		err = op.Err
	}
	encodeCause(&f, err)
	for _, text := range []*string{&f.Op, &f.Net, &f.Addr, &f.AddrNet, &f.Text, &f.Name, &f.Server} {
		*text = wire.Short(*text)
	}
	return f
}

func encodeCause(f *wire.FailedBody, err error) {
	switch e := err.(type) {
	case *os.SyscallError:
		if errno, ok := e.Err.(syscall.Errno); ok {
			f.Kind, f.Syscall, f.Errno = kindSyscall, e.Syscall, int(errno)
			return
		}
	case syscall.Errno:
		f.Kind, f.Errno = kindErrno, int(e)
		return
	case *net.AddrError:
		f.Kind, f.Text, f.Name = kindAddr, e.Err, e.Addr
		return
	case net.UnknownNetworkError:
		f.Kind, f.Text = kindNetwork, string(e)
		return
	case net.InvalidAddrError:
		f.Kind, f.Text = kindInvalid, string(e)
		return
	case *net.DNSError:
		f.Kind, f.Text, f.Name, f.Server = kindDNS, e.Err, e.Name, e.Server
		f.Flags = bit(e.IsTimeout, 1) | bit(e.IsTemporary, 2) | bit(e.IsNotFound, 4)
		return
	}
	encodeOther(f, err)
}

func encodeOther(f *wire.FailedBody, err error) {
	f.Kind, f.Text = kindText, err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		f.Kind, f.Errno = kindErrno, int(errno)
		return
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			f.Kind, f.Name = kindKnown, k.name
			return
		}
	}
}

func bit(set bool, b int) int {
	if set {
		return b
	}
	return 0
}

// Decode returns the error that Encode has taken apart.
func Decode(f wire.FailedBody) error {
	cause := decodeCause(f)
	if f.Op == "" {
		return cause
	}
	op := &net.OpError{Op: f.Op, Net: f.Net, Err: cause}
	if f.AddrNet != "" {
		op.Addr = address{f.AddrNet, f.Addr}.typed()
	}
	return op
}

func decodeCause(f wire.FailedBody) error {
	switch f.Kind {
	case kindSyscall:
		return os.NewSyscallError(f.Syscall, syscall.Errno(f.Errno))
	case kindErrno:
		return worded(f.Text, syscall.Errno(f.Errno))
	case kindAddr:
		return &net.AddrError{Err: f.Text, Addr: f.Name}
	case kindNetwork:
		return net.UnknownNetworkError(f.Text)
	case kindInvalid:
		return net.InvalidAddrError(f.Text)
	case kindDNS:
		return &net.DNSError{Err: f.Text, Name: f.Name, Server: f.Server,
			IsTimeout: f.Flags&1 != 0, IsTemporary: f.Flags&2 != 0, IsNotFound: f.Flags&4 != 0}
	case kindKnown:
		for _, k := range known {
			if k.name == f.Name {
				return worded(f.Text, k.err)
			}
		}
	}
	return errors.New(f.Text)
}

// worded returns err with another text, or err itself if text is empty or the same.
func worded(text string, err error) error {
	if text == "" || text == err.Error() {
		return err
	}
	return &wordedError{text, err}
}

type wordedError struct {
	text string
	err  error
}

func (e *wordedError) Error() string { return e.text }
func (e *wordedError) Unwrap() error { return e.err }

// address is a net.Addr as text.
type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

// typed returns the address with the type that package net uses. A host name stays a text,
// because an error must not cause a lookup.
func (a address) typed() net.Addr {
	switch a.network {
	case "unix", "unixgram", "unixpacket":
		return &net.UnixAddr{Name: a.text, Net: a.network}
	case "ip":
		return a.typedIP()
	case "tcp", "udp":
	default:
		return a
	}
	ip, err := a.parse()
	switch {
	case err != nil:
		return a
	case a.network == "tcp":
		return net.TCPAddrFromAddrPort(ip)
	}
	return net.UDPAddrFromAddrPort(ip)
}

func (a address) typedIP() net.Addr {
	ip, err := netip.ParseAddr(a.text)
	if err != nil && a.text != "" {
		return a
	}
	return &net.IPAddr{IP: ip.AsSlice(), Zone: ip.Zone()}
}

func (a address) parse() (netip.AddrPort, error) {
	if !strings.HasPrefix(a.text, ":") {
		return netip.ParseAddrPort(a.text)
	}
	p, err := netip.ParseAddrPort("0.0.0.0" + a.text)
	return netip.AddrPortFrom(netip.Addr{}, p.Port()), err
}
