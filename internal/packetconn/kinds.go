package packetconn

import (
	"net"
	"net/netip"

	"github.com/rota-go/rota/internal/replyaddr"
)

// New returns inner as the program gets it, and as the drain does. shared says that other
// processes have the socket too. The result owns inner. It is nil for an unknown type of conn.
func New(inner net.PacketConn, owner Owner, shared bool) (net.PacketConn, Source) {
	p := &packet{owner: owner, shared: shared, closed: make(chan struct{}), changed: make(chan struct{})}
	return p.around(inner), p
}

// The methods of packet hide those of the net type, which is embedded one level deeper. All
// other methods are those of the net type.
type (
	lowerUDP  struct{ *net.UDPConn }
	lowerUnix struct{ *net.UnixConn }
	lowerIP   struct{ *net.IPConn }

	udpPacket struct {
		*packet
		lowerUDP
		replies *replyaddr.Conn // nil unless the socket is on a wildcard address
	}
	unixPacket struct {
		*packet
		lowerUnix
	}
	ipPacket struct {
		*packet
		lowerIP
	}
)

// around makes p the owner of inner and returns what the program gets. It returns nil for
// an unknown type of conn.
func (p *packet) around(inner net.PacketConn) net.PacketConn {
	switch inner := inner.(type) {
	case *net.UDPConn:
		p.inner = inner
		return &udpPacket{p, lowerUDP{inner}, replyaddr.New(inner)}
	case *net.UnixConn:
		p.inner = inner
		return &unixPacket{p, lowerUnix{inner}}
	case *net.IPConn:
		p.inner = inner
		return &ipPacket{p, lowerIP{inner}}
	}
	return nil
}

// ReadFrom is packet.ReadFrom. On a wildcard address, an answer to addr comes from the
// address that the datagram was sent to; see decision 34.
func (c *udpPacket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromUDP(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadFromUDP is ReadFrom.
func (c *udpPacket) ReadFromUDP(b []byte) (n int, addr *net.UDPAddr, err error) {
	from := c.UDPConn.ReadFromUDP
	if c.replies != nil {
		from = c.replies.ReadFrom
	}
	err = c.read(func() error { n, addr, err = from(b); return err })
	return n, addr, err
}

// WriteTo writes a datagram. If addr was returned by ReadFrom, and the socket is on a
// wildcard address, it comes from the address that the other datagram was sent to.
func (c *udpPacket) WriteTo(b []byte, addr net.Addr) (int, error) {
	if to, ok := addr.(*net.UDPAddr); ok {
		return c.WriteToUDP(b, to)
	}
	return c.UDPConn.WriteTo(b, addr)
}

// WriteToUDP is WriteTo.
func (c *udpPacket) WriteToUDP(b []byte, addr *net.UDPAddr) (n int, err error) {
	if c.replies != nil {
		n, err = c.replies.WriteTo(b, addr)
	} else {
		n, err = c.UDPConn.WriteToUDP(b, addr)
	}
	return n, c.wrote(err)
}

func (c *udpPacket) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	n, err := c.UDPConn.WriteToUDPAddrPort(b, addr)
	return n, c.wrote(err)
}

func (c *udpPacket) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (int, int, error) {
	n, oobn, err := c.UDPConn.WriteMsgUDP(b, oob, addr)
	return n, oobn, c.wrote(err)
}

func (c *udpPacket) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (int, int, error) {
	n, oobn, err := c.UDPConn.WriteMsgUDPAddrPort(b, oob, addr)
	return n, oobn, c.wrote(err)
}

func (c *udpPacket) ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error) {
	err = c.read(func() error { n, addr, err = c.UDPConn.ReadFromUDPAddrPort(b); return err })
	return n, addr, err
}

func (c *udpPacket) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.UDPConn.ReadMsgUDP(b, oob); return err })
	return n, oobn, flags, addr, err
}

func (c *udpPacket) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.UDPConn.ReadMsgUDPAddrPort(b, oob); return err })
	return n, oobn, flags, addr, err
}

func (c *unixPacket) ReadFromUnix(b []byte) (n int, addr *net.UnixAddr, err error) {
	err = c.read(func() error { n, addr, err = c.UnixConn.ReadFromUnix(b); return err })
	return n, addr, err
}

func (c *unixPacket) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.UnixConn.ReadMsgUnix(b, oob); return err })
	return n, oobn, flags, addr, err
}

func (c *unixPacket) WriteTo(b []byte, addr net.Addr) (int, error) {
	n, err := c.UnixConn.WriteTo(b, addr)
	return n, c.wrote(err)
}

func (c *unixPacket) WriteToUnix(b []byte, addr *net.UnixAddr) (int, error) {
	n, err := c.UnixConn.WriteToUnix(b, addr)
	return n, c.wrote(err)
}

func (c *unixPacket) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (int, int, error) {
	n, oobn, err := c.UnixConn.WriteMsgUnix(b, oob, addr)
	return n, oobn, c.wrote(err)
}

// CloseRead and CloseWrite call shutdown(2), which affects every process that has the
// socket, so they fail on a shared one.
func (c *unixPacket) CloseRead() error {
	return c.ownOnly("shutdown", c.UnixConn.CloseRead)
}

func (c *unixPacket) CloseWrite() error {
	return c.ownOnly("shutdown", c.UnixConn.CloseWrite)
}

func (c *ipPacket) ReadFromIP(b []byte) (n int, addr *net.IPAddr, err error) {
	err = c.read(func() error { n, addr, err = c.IPConn.ReadFromIP(b); return err })
	return n, addr, err
}

func (c *ipPacket) ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error) {
	err = c.read(func() error { n, oobn, flags, addr, err = c.IPConn.ReadMsgIP(b, oob); return err })
	return n, oobn, flags, addr, err
}
