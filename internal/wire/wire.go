// Package wire encodes and decodes the frames of the link between a master and a worker. It
// opens nothing and waits for nothing, so that it can be fuzzed on any platform. Package
// link sends and receives the frames on a socket.
//
// A frame is a header of twelve bytes, big endian, and a body:
//
//	  0        1        2        3        4                 8                 12
//	+--------+--------+--------+--------+-----------------+-----------------+------
//	| magic  | version|  type  |  fds   |    call id      |   body length   | body…
//	+--------+--------+--------+--------+-----------------+-----------------+------
//
// fds is the number of descriptors that travel with the frame. They come with the frame's
// first byte, and are assigned to frames by these counts alone. docs/protocol.md lists the
// types of frames and which side sends them.
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
	// MinVersion is the oldest version that it understands.
	MinVersion = 1

	// MaxBody is the largest size of a frame's body, in bytes.
	MaxBody = 8 << 20

	// MaxControl is the largest size of the body of a frame that is no message, in bytes.
	// The master decodes these bodies on the goroutine that does all its work.
	MaxControl = 64 << 10

	// MaxFDs is the largest number of descriptors of a frame. Linux allows 253.
	MaxFDs = 250
)

// Type is the type of a frame. A receiver skips a frame of a type that it doesn't know if
// the type is Skippable or greater; otherwise it closes the link.
type Type uint8

// Skippable is the first type that a receiver may skip.
const Skippable Type = 0x80

// The types of version 1. Their bodies are in codec.go.
const (
	Hello      Type = 1  // worker: the first frame of a link
	Welcome    Type = 2  // master: the worker is accepted
	Refuse     Type = 3  // master: the worker is not accepted, and why
	Listen     Type = 4  // worker: a call, answered by Socket or Failed
	Socket     Type = 5  // master: the answer, with one descriptor
	Failed     Type = 6  // master: the answer, with the error
	Accepting  Type = 7  // worker: the first Accept on a socket
	Closed     Type = 8  // worker: the program has closed a socket
	Disconnect Type = 9  // master: drain
	Draining   Type = 10 // worker: the drain has begun
	Ready      Type = 11 // worker: the program says it is ready
	Message    Type = 12 // both: the program's own message
	Retire     Type = 13 // worker: the worker leaves and wants no successor

	Watch   Type = 0xa1 // worker: the program answers health checks
	Check   Type = 0xa2 // master: a health check, a call, answered by Checked
	Checked Type = 0xa3 // worker: the answer

	HandOver Type = 0xa4 // master: the worker may move connections, with its end of a pair
	Receive  Type = 0xa5 // master: connections of another worker may come, with this one's end of the pair

	Tickets Type = 0xa6 // master: the keys of TLS session tickets

	Lead  Type = 0xa7 // worker: the program asks for a lease, a call, answered by Leads or Failed
	Leads Type = 0xa8 // master: the lease is the worker's, with the descriptor that says for how long
	Yield Type = 0xa9 // worker: a call of Lead is over, whether it was answered or not

	Broadcast Type = 0xaa // both: a message of a worker for the others; the master puts the sender's id in the place of the call
	Taken     Type = 0xab // worker: how many messages the program has taken

	Inherit   Type = 0xac // worker: a call, answered by the master with the end to read of a pipe
	GiveState Type = 0xad // master: the worker's successor reads what it leaves, from the pipe of which this is the end

	Count   Type = 0xb0 // master: what has the worker counted?
	Counted Type = 0xb1 // worker: the answer, and its last counters when it leaves

	Help    Type = 0xb4 // master: the worker is to accept from the queue of another slot, which comes with it, or from its own
	Helped  Type = 0xb5 // worker: it has
	Spare   Type = 0xb6 // master: some connections of the worker may move to another, with its end of a pair
	StandBy Type = 0xb7 // master: the worker is to leave the connections of a socket to others for a while

	Share     Type = 0xb8 // worker: the program asks for a shared file, a call, answered by Shared or Failed
	Shared    Type = 0xb9 // master: the answer, with the file's descriptor
	AskStatus Type = 0xba // worker: what does the master know? A call, answered by Status
	Status    Type = 0xbb // master: the answer

	Worn   Type = 0xbd // worker: it has served as many requests as Welcome says
	Report Type = 0xbc // worker: the program says that it is not well, or well again
)

var names = [...]string{
	Hello: "hello", Welcome: "welcome", Refuse: "refuse", Listen: "listen",
	Socket: "socket", Failed: "failed", Accepting: "accepting", Closed: "closed",
	Disconnect: "disconnect", Draining: "draining", Ready: "ready", Message: "message",
	Retire: "retire", Watch: "watch", Check: "check", Checked: "checked",
	HandOver: "hand over", Receive: "receive", Tickets: "tickets",
	Lead: "lead", Leads: "leads", Yield: "yield", Broadcast: "broadcast", Taken: "taken",
	Inherit: "inherit", GiveState: "give state",
	Count: "count", Counted: "counted", Help: "help", Helped: "helped", Spare: "spare", StandBy: "stand by",
	Share: "share", Shared: "shared", AskStatus: "ask status", Status: "status", Report: "report", Worn: "worn",
}

// Known reports whether t is a type of this version.
func (t Type) Known() bool { return int(t) < len(names) && names[t] != "" }

// maxBody returns the largest size of the body of a frame of type t. A status has the last lines of
// workers, and a worker that gets one does no other's work.
func (t Type) maxBody() int {
	if t.IsMessage() || t == Status {
		return MaxBody
	}
	return MaxControl
}

// IsMessage reports whether the body of a frame of type t is a program's: it may be large, and
// many may wait.
func (t Type) IsMessage() bool { return t == Message || t == Broadcast }

func (t Type) String() string {
	if t.Known() {
		return names[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Errors of this package. errors.Is finds them.
var (
	ErrMagic       = errors.New("not a frame")
	ErrVersion     = errors.New("unsupported version of the protocol")
	ErrType        = errors.New("unknown type of frame")
	ErrTooLarge    = errors.New("frame is too large")
	ErrDescriptors = errors.New("wrong number of descriptors")
	ErrTruncated   = errors.New("stream ends in the middle of a frame")
	ErrBody        = errors.New("invalid body of a frame")
)

// Frame is one frame. Body is the receiver's own copy.
type Frame struct {
	Type Type
	FDs  int    // descriptors that travel with it
	Call uint32 // which call this is, or answers; 0: none
	Body []byte

	// Fixed says, of a frame to send, that nobody changes Body any more: it is not copied.
	Fixed bool
}

// Append appends f's bytes to b.
func Append(b []byte, f Frame) ([]byte, error) {
	b, err := AppendHeader(b, f)
	if err != nil {
		return b, err
	}
	return append(b, f.Body...), nil
}

// AppendHeader appends f's bytes without those of Body, which are to follow.
func AppendHeader(b []byte, f Frame) ([]byte, error) {
	if len(f.Body) > f.Type.maxBody() {
		return b, fmt.Errorf("%w: %v of %d bytes, at most %d", ErrTooLarge, f.Type, len(f.Body), f.Type.maxBody())
	}
	if f.FDs < 0 || f.FDs > MaxFDs {
		return b, fmt.Errorf("%w: %d, at most %d", ErrDescriptors, f.FDs, MaxFDs)
	}
	b = append(b, magic, Version, byte(f.Type), byte(f.FDs))
	b = binary.BigEndian.AppendUint32(b, f.Call)
	return binary.BigEndian.AppendUint32(b, uint32(len(f.Body))), nil
}

// checkStart checks the first bytes of a frame, as many as there are, so that a peer that
// speaks another protocol is refused before a whole header has come. Frames of later
// versions have the same header and are accepted; [Hello] settles the version.
func checkStart(h []byte) error {
	switch {
	case len(h) > 0 && h[0] != magic:
		return fmt.Errorf("%w: the first byte is %#x", ErrMagic, h[0])
	case len(h) > 1 && h[1] < MinVersion:
		return fmt.Errorf("%w: %d, supported are %d to %d", ErrVersion, h[1], MinVersion, Version)
	}
	return nil
}

// Agree returns the version of the protocol that a worker and this master speak with each
// other. The error says why there is none.
func (b HelloBody) Agree() (version int, err error) {
	if b.Max < MinVersion || b.Min > Version {
		return 0, fmt.Errorf("it speaks versions %d to %d of the protocol, this master %d to %d", b.Min, b.Max, MinVersion, Version)
	}
	return min(b.Max, Version), nil
}

// parse reads a header that checkStart has accepted. It returns the frame without its body,
// and the length of the body.
func parse(h []byte) (Frame, int, error) {
	f := Frame{Type: Type(h[2]), FDs: int(h[3]), Call: binary.BigEndian.Uint32(h[4:])}
	size := binary.BigEndian.Uint32(h[8:])
	switch {
	case !f.Type.Known() && f.Type < Skippable:
		return f, 0, fmt.Errorf("%w: %d", ErrType, f.Type)
	case f.FDs > MaxFDs:
		return f, 0, fmt.Errorf("%w: %v says %d, at most %d", ErrDescriptors, f.Type, f.FDs, MaxFDs)
	case int64(size) > int64(f.Type.maxBody()):
		return f, 0, fmt.Errorf("%w: %v says %d bytes, at most %d", ErrTooLarge, f.Type, size, f.Type.maxBody())
	}
	return f, int(size), nil
}
