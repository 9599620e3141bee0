package rotaquic

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
)

// The sizes of a stateless reset: what a client can't tell from a packet, and what quic-go sends.
const (
	minReset = 21
	maxReset = 42
)

const resetTokenLen = 16

// reset returns the stateless reset that answers a packet of a connection whose id that is, or nil if the packet is too small. It
// is shorter than the packet, so that two ends that know nothing of a connection don't answer each other without end (RFC 9000, 10.3.3).
//
// quic-go answers no packet that is as small as its resets. Such are all that a client sends that only keeps its connection open.
func (k keys) reset(id, packet []byte) []byte {
	size := min(len(packet)-1, maxReset)
	if size < minReset {
		return nil
	}
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails
	b[0] = b[0]&0x3f | 0x40
	copy(b[size-resetTokenLen:], k.resetToken(id))
	return b
}

// resetToken is what quic-go has told the client about the id.
func (k keys) resetToken(id []byte) []byte {
	h := hmac.New(sha256.New, k.resets[:])
	h.Write(id)
	return h.Sum(nil)[:resetTokenLen]
}
