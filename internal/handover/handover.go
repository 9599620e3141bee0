// Package handover moves connections from a worker that leaves to another one, the receiver,
// over a socketpair that the master has made for the two. The master sees none of them.
//
// The pair carries messages (SOCK_SEQPACKET). The leaving worker sends an offer: up to
// MaxBatch connections, each with the cookie of the socket that it was accepted from, how long
// its program would wait for the next request, and whether the client is expected to send it soon. The receiver answers which of them it takes. There is one offer at a time, so at most MaxBatch
// descriptors are in flight. A connection that the program itself hands over goes alone, with a
// state, in one message or in several.
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
	"time"
)

// MaxBatch is the largest number of connections in an offer.
const MaxBatch = 64

// MaxState is the largest size of what a program says of a connection, in bytes.
const MaxState = 8 << 20

// ErrNoReceiver says that no other worker takes a connection. errors.Is finds it.
var ErrNoReceiver = errors.New("no other worker takes the connection")

// ErrMessage says that the other worker has sent something that is no message of this
// package. errors.Is finds it.
var ErrMessage = errors.New("not a message of a hand-over")

// The first byte of a message, and its sizes.
const (
	offerKind  = 'o'
	answerKind = 'a'
	handKind   = 'h'
	moreKind   = 'm'
	cookieSize = 8
	factsSize  = cookieSize + 4     // of a connection, in an offer
	handSize   = 1 + cookieSize + 4 // before the first part of the state
	maxPart    = 32 << 10           // of a state, in one message
	answerSize = 1 + MaxBatch
	maxSize    = handSize + maxPart // of all messages
)

// facts is what an offer says of a connection.
type facts struct {
	cookie uint64 // of the socket that it was accepted from
	rest   uint32 // how long its program would wait for the next request, in ms, below inUse; 0: it sets no time
	used   bool   // see Item
}

// inUse is the bit of a connection that is used, in the number that says how long its program would wait.
const inUse = 1 << 31

// factsOf returns the facts of a connection.
func factsOf(i Item) facts {
	f := facts{cookie: i.Cookie, used: i.Used}
	if i.Rest != 0 {
		ms := max(i.Rest.Milliseconds(), 1) // the time may have passed
		f.rest = uint32(min(ms, inUse-1))
	}
	return f
}

// left is how long the program would wait; 0: it sets no time.
func (f facts) left() time.Duration { return time.Duration(f.rest) * time.Millisecond }

// number is how long the program would wait, with inUse.
func (f facts) number() uint32 {
	if f.used {
		return f.rest | inUse
	}
	return f.rest
}

// appendOffer appends an offer of connections.
func appendOffer(b []byte, all []facts) []byte {
	b = append(b, offerKind)
	for _, f := range all {
		b = binary.BigEndian.AppendUint64(b, f.cookie)
		b = binary.BigEndian.AppendUint32(b, f.number())
	}
	return b
}

// parseOffer returns the facts of an offer's connections, at least one.
func parseOffer(b []byte) (all []facts, err error) {
	if len(b) <= 1 || b[0] != offerKind || len(b) > 1+MaxBatch*factsSize || (len(b)-1)%factsSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes as an offer", ErrMessage, len(b))
	}
	for b = b[1:]; len(b) > 0; b = b[factsSize:] {
		n := binary.BigEndian.Uint32(b[cookieSize:])
		all = append(all, facts{binary.BigEndian.Uint64(b), n &^ inUse, n&inUse != 0})
	}
	return all, nil
}

// hand is a connection that the program hands over.
type hand struct {
	cookie uint64
	size   int    // of the state
	state  []byte // as much of it as has come
}

// appendHand appends the first message of a hand-over, and returns the rest of the state.
func appendHand(b []byte, cookie uint64, state []byte) (message, rest []byte) {
	b = append(b, handKind)
	b = binary.BigEndian.AppendUint64(b, cookie)
	b = binary.BigEndian.AppendUint32(b, uint32(len(state)))
	n := min(len(state), maxPart)
	return append(b, state[:n]...), state[n:]
}

// parseHand returns what the first message of a hand-over says.
func parseHand(b []byte) (h hand, err error) {
	if len(b) < handSize || b[0] != handKind {
		return h, fmt.Errorf("%w: %d bytes as a hand-over", ErrMessage, len(b))
	}
	h.cookie = binary.BigEndian.Uint64(b[1:])
	size := binary.BigEndian.Uint32(b[1+cookieSize:])
	if size > MaxState {
		return h, fmt.Errorf("%w: a state of %d bytes", ErrMessage, size)
	}
	h.size = int(size)
	return h, h.add(b[handSize:])
}

// appendMore appends the next message of a hand-over, and returns the rest of the state.
func appendMore(b, state []byte) (message, rest []byte) {
	n := min(len(state), maxPart)
	return append(append(b, moreKind), state[:n]...), state[n:]
}

// more adds what another message brings of the state.
func (h *hand) more(b []byte) error {
	if len(b) < 2 || b[0] != moreKind {
		return fmt.Errorf("%w: %d bytes as part of a state", ErrMessage, len(b))
	}
	return h.add(b[1:])
}

func (h *hand) add(part []byte) error {
	if len(h.state)+len(part) > h.size {
		return fmt.Errorf("%w: a state is longer than %d bytes", ErrMessage, h.size)
	}
	h.state = append(h.state, part...)
	return nil
}

// whole reports whether all of the state has come.
func (h *hand) whole() bool { return len(h.state) == h.size }

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
