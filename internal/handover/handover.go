// Package handover moves connections from a worker that leaves to another one, the receiver,
// over a socketpair that the master has made for the two. The master sees none of them.
//
// The pair carries messages (SOCK_SEQPACKET). The leaving worker sends an offer: up to
// MaxBatch connections, each with the cookie of the socket that it was accepted from. The
// receiver answers which of them it takes. There is one offer at a time, so at most MaxBatch
// descriptors are in flight.
//
// A connection belongs to one process at every moment. The leaving worker keeps it until
// the answer says that it was taken, and then closes its copy. The receiver uses it when its
// answer was sent; if that fails, it closes its copy. A leaving worker that waits no longer
// shuts the pair down and reads what was answered until then: the kernel refuses later
// answers, so both sides know the same.
package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxBatch is the largest number of connections in an offer.
const MaxBatch = 64

// ErrMessage says that the other worker has sent something that is no message of this
// package. errors.Is finds it.
var ErrMessage = errors.New("not a message of a hand-over")

// The first byte of a message, and its sizes.
const (
	offerKind  = 'o'
	answerKind = 'a'
	cookieSize = 8
	offerSize  = 1 + MaxBatch*cookieSize
	answerSize = 1 + MaxBatch
)

// appendOffer appends an offer of connections from the sockets with these cookies.
func appendOffer(b []byte, cookies []uint64) []byte {
	b = append(b, offerKind)
	for _, c := range cookies {
		b = binary.BigEndian.AppendUint64(b, c)
	}
	return b
}

// parseOffer returns the cookies of an offer, at least one.
func parseOffer(b []byte) (cookies []uint64, err error) {
	if len(b) <= 1 || b[0] != offerKind || len(b) > offerSize || (len(b)-1)%cookieSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes as an offer", ErrMessage, len(b))
	}
	for b = b[1:]; len(b) > 0; b = b[cookieSize:] {
		cookies = append(cookies, binary.BigEndian.Uint64(b))
	}
	return cookies, nil
}

// appendAnswer appends the answer to an offer: which of its connections are taken.
func appendAnswer(b []byte, taken []bool) []byte {
	b = append(b, answerKind)
	for _, t := range taken {
		if t {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// parseAnswer returns the answer to an offer of n connections.
func parseAnswer(b []byte, n int) (taken []bool, err error) {
	if len(b) != 1+n || b[0] != answerKind {
		return nil, fmt.Errorf("%w: %d bytes as an answer for %d", ErrMessage, len(b), n)
	}
	for _, t := range b[1:] {
		if t > 1 {
			return nil, fmt.Errorf("%w: %d in an answer", ErrMessage, t)
		}
		taken = append(taken, t == 1)
	}
	return taken, nil
}
