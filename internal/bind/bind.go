// Package bind has the options and requests for sockets, and opens sockets as package net
// does. It adds what net.ListenConfig lacks: the length of the accept queue, the mode of a
// unix socket's file, and sockets that this process has open, by descriptor number.
//
// The root package, the worker and the master use it, so that sockets of a single worker
// and those of a process without a master are opened as the shared ones are.
package bind

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Options are the options of a socket. rota.ListenConfig has the same fields in the same
// order, documents them, and converts to Options. The zero value has the behavior of
// net.ListenConfig. The fields without a JSON name are not sent to the master.
type Options struct {
	Exclusive       bool                `json:"-"`
	Opaque          bool                `json:"-"`
	Stay            bool                `json:"-"`
	Backlog         int                 `json:"backlog,omitempty"`
	Mode            fs.FileMode         `json:"mode,omitempty"`
	KeepAliveConfig net.KeepAliveConfig `json:"-"`
	CloseWithin     time.Duration       `json:"-"`
	Spread          int                 `json:"spread,omitempty"`

	Control func(network, address string, c syscall.RawConn) error `json:"-"`
}

// Request is a program's request for a socket. Its JSON is the body of the link's listen frame.
type Request struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Packet  bool   `json:"packet,omitempty"` // ListenPacket
	Dir     string `json:"dir,omitempty"`    // the directory of a relative path of a unix socket; if empty, the master's
	Options
}

// NewRequest returns the request for a socket of this process.
func NewRequest(network, address string, packet bool, o Options) Request {
	o.Mode = o.Mode.Perm()
	r := Request{Network: network, Address: address, Packet: packet, Options: o}
	if IsPath(network, address) && !filepath.IsAbs(address) {
		r.Dir, _ = os.Getwd() // an error: the directory was removed, and Dir is empty
	}
	return r
}

// Stays reports whether a drain doesn't move the connections: the program doesn't want it, or the
// drain closes them.
func (o Options) Stays() bool { return o.Opaque || o.Stay || o.CloseWithin > 0 }

// Listen is net.ListenConfig.Listen with these options. It also accepts the network "fd".
func (o Options) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if network == "fd" {
		return o.listenDescriptor(address)
	}
	lc := net.ListenConfig{Control: o.beforeBind, KeepAliveConfig: o.KeepAliveConfig}
	ln, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := o.finish(ln, ln.Addr()); err != nil {
		_ = ln.Close() // nobody has seen it
		return nil, &net.OpError{Op: "listen", Net: network, Addr: ln.Addr(), Err: err}
	}
	return ln, nil
}

// ListenPacket is net.ListenConfig.ListenPacket with these options. It also accepts the
// network "fdgram".
func (o Options) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if network == "fdgram" {
		return o.packetDescriptor(address)
	}
	lc := net.ListenConfig{Control: o.beforeBind}
	pc, err := lc.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := o.widen(pc.LocalAddr()); err != nil {
		_ = pc.Close() // nobody has seen it
		return nil, &net.OpError{Op: "listen", Net: network, Addr: pc.LocalAddr(), Err: err}
	}
	return pc, nil
}

// beforeBind runs between socket(2) and bind(2). It narrows the mode of a unix socket's
// file before the file exists, and then calls Control.
func (o Options) beforeBind(network, address string, raw syscall.RawConn) error {
	if o.Mode != 0 && isUnix(network) {
		var err error
		if cerr := raw.Control(func(fd uintptr) { err = narrow(int(fd), o.Mode) }); cerr != nil {
			return cerr
		}
		if err != nil {
			return err
		}
	}
	if o.Control == nil {
		return nil
	}
	return o.Control(network, address, raw)
}

// AfterBind calls Control for a socket that another process has bound, or that this
// process was started with. s is the net.Listener or net.PacketConn of the socket.
func (o Options) AfterBind(network, address string, s any) error {
	sc, ok := s.(syscall.Conn)
	if o.Control == nil || !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	return o.Control(network, address, raw)
}

// finish sets the options that need a listening socket.
func (o Options) finish(ln net.Listener, addr net.Addr) error {
	if o.Backlog > 0 {
		if err := queue(ln, o.Backlog); err != nil {
			return err
		}
	}
	return o.widen(addr)
}

func isUnix(network string) bool {
	return network == "unix" || network == "unixpacket" || network == "unixgram"
}

// IsPath reports whether an address of a unix network is the path of a file, and not an
// abstract name or empty, which leaves the choice to the kernel.
func IsPath(network, address string) bool {
	return isUnix(network) && address != "" && address[0] != '@' && address[0] != 0
}

// SplitAddr returns the host and the port of an address, or the path of a unix socket and 0.
func SplitAddr(addr net.Addr) (host string, port int) {
	host, text, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String(), 0
	}
	port, _ = strconv.Atoi(text) // the kernel's
	return host, port
}

// Addr returns the address of a socket whose address prints as text. That of a TCP socket is one of package net, by
// which the socket can be made to listen again (see Revive).
func Addr(network, text string) net.Addr {
	if a, err := netip.ParseAddrPort(text); err == nil && network == "tcp" {
		return net.TCPAddrFromAddrPort(a)
	}
	return addr{network, text}
}

// addr is the address of a socket that is none of TCP.
type addr struct{ network, text string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.text }
