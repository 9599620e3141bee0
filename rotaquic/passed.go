package rotaquic

import (
	"encoding/binary"
	"errors"
	"net"
)

// maxPacket is the size of the largest packet that is read; quic-go takes 1,452 bytes.
const maxPacket = 2048

// maxControl is the size of the largest control messages of a packet, as in quic-go.
const maxControl = 128

// maxPassed is the size of the largest datagram of a queue.
const maxPassed = maxPacket + maxControl + 64

// packet is a packet as it was read from the socket.
type packet struct {
	from    *net.UDPAddr
	control []byte // control messages: ECN, the address that it was sent to
	data    []byte
}

var errPassed = errors.New("not a packet that was passed on")

// appendHead appends what stands before the data of a packet in a queue:
//
//	length of the address, 1 byte; address; port, 2; length of the zone, 1; zone; length of control, 1; control
func appendHead(b []byte, p packet) []byte {
	b = append(append(b, byte(len(p.from.IP))), p.from.IP...)
	b = binary.BigEndian.AppendUint16(b, uint16(p.from.Port))
	b = append(append(b, byte(len(p.from.Zone))), p.from.Zone...)
	return append(append(b, byte(len(p.control))), p.control...)
}

// parsePassed takes a datagram of a queue apart. The packet is in b.
func parsePassed(b []byte) (p packet, err error) {
	field := func() (f []byte) {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			err = errPassed
			return nil
		}
		f, b = b[1:1+int(b[0])], b[1+int(b[0]):]
		return f
	}
	ip := field()
	if err != nil || len(ip) != net.IPv4len && len(ip) != net.IPv6len || len(b) < 2 {
		return p, errPassed
	}
	port := binary.BigEndian.Uint16(b)
	b = b[2:]
	zone := field()
	control := field()
	if err != nil || len(control) > maxControl || len(b) > maxPacket {
		return p, errPassed
	}
	from := &net.UDPAddr{IP: append(net.IP(nil), ip...), Port: int(port), Zone: string(zone)}
	return packet{from: from, control: control, data: b}, nil
}
