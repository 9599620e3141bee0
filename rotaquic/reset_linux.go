//go:build linux

package rotaquic

import "golang.org/x/sys/unix"

// sendReset tells the client of a connection that went with its worker that it is gone. What fails is as a packet that is lost.
func (c *packetConn) sendReset(p packet) {
	id, _, _ := destination(p.data)
	if b := c.router.keys.reset(id, p.data); b != nil {
		_, _, _ = c.UDPConn.WriteMsgUDP(b, source(p.control), p.from)
	}
}

// source returns the control message that makes the address that a packet was sent to the source of the answer. It is
// the one that the packet came with, or nil.
func source(control []byte) []byte {
	for len(control) >= unix.CmsgSpace(0) {
		h, _, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO || h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO {
			return control[:len(control)-len(rest)]
		}
		control = rest
	}
	return nil
}
