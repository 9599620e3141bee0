package rotaquic

import "time"

// router finds the worker of a packet.
type router struct {
	keys  keys
	table *table
	self  uint8
}

// route returns the member that a packet is for. What nobody has is for this worker, as what isn't QUIC. The packet is an
// orphan if the worker that has made its connection is gone.
func (r router) route(packet []byte) (index uint8, orphan bool) {
	id, long, ok := destination(packet)
	if !ok {
		return r.self, false
	}
	p, ours := r.keys.decode(id)
	if ours && r.table.lives(p) {
		return p.index, false
	}
	if !long {
		return r.self, ours
	}
	if m, ok := r.table.assign(r.keys.hash(id), uint16(time.Now().Unix()), r.self); ok {
		return m, false
	}
	return r.self, false
}

// destination returns the destination connection id of a packet, by RFC 8999, and whether its header is
// long. Ids behind a short header have idLen bytes. It is false if there is none.
func destination(b []byte) (id []byte, long, ok bool) {
	if len(b) == 0 || b[0]&0xc0 == 0 {
		return nil, false, false // RFC 9443: another protocol's
	}
	if b[0]&0x80 == 0 {
		if len(b) < 1+idLen {
			return nil, false, false
		}
		return b[1 : 1+idLen], false, true
	}
	if len(b) < 6 || len(b) < 6+int(b[5]) {
		return nil, true, false
	}
	return b[6 : 6+int(b[5])], true, true
}
