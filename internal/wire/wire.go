// Package wire is the bytes of the link between a master and a worker: frames,
// and nothing else. It opens nothing and waits for nothing, so that it can be
// fuzzed anywhere; package link puts it on a socket.
//
// A frame is a header of twelve bytes, big endian, and a body:
//
//	  0        1        2        3        4                 8                 12
//	+--------+--------+--------+--------+-----------------+-----------------+------
//	| magic  | version|  type  |  fds   |    call id      |   body length   | body…
//	+--------+--------+--------+--------+-----------------+-----------------+------
//
// fds is the number of descriptors that travel with the frame. They come with
// the frame's first byte, and are handed out strictly by these counts.
// docs/protocol.md has the table of types and who sends them.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	magic = 'R'

	// HeaderSize is the length of a header, in bytes.
	HeaderSize = 12

	// Version is the version of the protocol that this package speaks.
	Version = 1
	// MinVersion is the oldest version that it still understands.
	MinVersion = 1

	// MaxBody is the most that a frame's body may hold, in bytes.
	MaxBody = 8 << 20

	// MaxFDs is the most descriptors that one frame may carry (Linux takes 253).
	MaxFDs = 250
)

// Type says what a frame means. From Skippable on, a receiver that doesn't know
// a type skips the frame; below, it ends the link.
type Type uint8

// Skippable is the first type that a receiver may pass over unread.
const Skippable Type = 0x80

// The types of version 1. Their bodies are in codec.go.
const (
	Hello      Type = 1  // worker: first frame of a link
	Welcome    Type = 2  // master: the worker is served
	Refuse     Type = 3  // master: the worker is not served, and why
	Listen     Type = 4  // worker: a call, answered by Socket or Failed
	Socket     Type = 5  // master: the answer, with one descriptor
	Failed     Type = 6  // master: the answer, with the error
	Accepting  Type = 7  // worker: first Accept on a socket
	Closed     Type = 8  // worker: the program closed a socket
	Disconnect Type = 9  // master: drain
	Draining   Type = 10 // worker: the drain has begun
	Ready      Type = 11 // worker: the program says it is ready
	Message    Type = 12 // both: the program's own message
	Retire     Type = 13 // worker: end this worker, and start no other for it

	Watch   Type = 0xa1 // worker: it can say how it is
	Check   Type = 0xa2 // master: a call, answered by Checked
	Checked Type = 0xa3 // worker: the answer
)

var names = [...]string{
	Hello: "hello", Welcome: "welcome", Refuse: "refuse", Listen: "listen",
	Socket: "socket", Failed: "failed", Accepting: "accepting", Closed: "closed",
	Disconnect: "disconnect", Draining: "draining", Ready: "ready", Message: "message",
	Retire: "retire", Watch: "watch", Check: "check", Checked: "checked",
}

// Known reports whether t is a type of this version.
func (t Type) Known() bool { return int(t) < len(names) && names[t] != "" }

func (t Type) String() string {
	if t.Known() {
		return names[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// What can be wrong with bytes that should be frames. errors.Is finds them in
// every error of this package.
var (
	ErrMagic       = errors.New("not a frame")
	ErrVersion     = errors.New("version of the frame is not spoken here")
	ErrType        = errors.New("unknown type of frame")
	ErrTooLarge    = errors.New("frame is too large")
	ErrDescriptors = errors.New("wrong number of descriptors")
	ErrTruncated   = errors.New("stream ends within a frame")
	ErrBody        = errors.New("body of the frame makes no sense")
)

// Frame is one frame. Body is the receiver's own copy.
type Frame struct {
	Type Type
	FDs  int    // descriptors that travel with it
	Call uint32 // which call this is, or answers; 0: none
	Body []byte
}

// Append appends f's bytes to b.
func Append(b []byte, f Frame) ([]byte, error) {
	if len(f.Body) > MaxBody {
		return b, fmt.Errorf("%w: a %v of %d bytes, at most %d", ErrTooLarge, f.Type, len(f.Body), MaxBody)
	}
	if f.FDs < 0 || f.FDs > MaxFDs {
		return b, fmt.Errorf("%w: %d, at most %d", ErrDescriptors, f.FDs, MaxFDs)
	}
	b = append(b, magic, Version, byte(f.Type), byte(f.FDs))
	b = binary.BigEndian.AppendUint32(b, f.Call)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Body)))
	return append(b, f.Body...), nil
}

// greet looks at the first bytes of a frame, as many as there are: a peer that
// speaks something else is found out before a whole header of it has come. Frames of
// later versions have the same header, and are read: what their sender means by them
// is settled by [Hello].
func greet(h []byte) error {
	switch {
	case len(h) > 0 && h[0] != magic:
		return fmt.Errorf("%w: it begins with %#x", ErrMagic, h[0])
	case len(h) > 1 && h[1] < MinVersion:
		return fmt.Errorf("%w: %d, spoken are %d to %d", ErrVersion, h[1], MinVersion, Version)
	}
	return nil
}

// parse reads a header that greet has passed: the frame without its body, and the
// body's length.
func parse(h []byte) (Frame, int, error) {
	f := Frame{Type: Type(h[2]), FDs: int(h[3]), Call: binary.BigEndian.Uint32(h[4:])}
	size := binary.BigEndian.Uint32(h[8:])
	switch {
	case !f.Type.Known() && f.Type < Skippable:
		return f, 0, fmt.Errorf("%w: %d", ErrType, f.Type)
	case f.FDs > MaxFDs:
		return f, 0, fmt.Errorf("%w: %v says %d, at most %d", ErrDescriptors, f.Type, f.FDs, MaxFDs)
	case size > MaxBody:
		return f, 0, fmt.Errorf("%w: %v says %d bytes, at most %d", ErrTooLarge, f.Type, size, MaxBody)
	}
	return f, int(size), nil
}
