// Package link is the connection between a master and a worker: one unix socketpair per
// worker, which carries frames of package wire and descriptors with them. Both ends use
// this package. It doesn't know what the frames mean.
//
// When the process at the other end dies, Receive returns io.EOF: there is no polling and no
// heartbeat. If another process may have that end, [Link.CloseRead] is called when the
// process has been waited for.
package link

import (
	"errors"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

const (
	// MaxQueue is how many bytes may wait to be written to a link before [Link.Send]
	// refuses a Message. A descriptor counts as fdCost bytes.
	MaxQueue = 4 << 20
	// hardQueue is how many bytes of any frames may wait. A link whose other side
	// doesn't read is closed when more wait: a program that has been taken over may ask
	// for sockets and read no answer.
	hardQueue = 16 << 20
	fdCost    = 4 << 10
)

var (
	// ErrClosed is in every error of a closed link.
	ErrClosed = errors.New("link is closed")
	// ErrQueueFull says that the other side doesn't read fast enough.
	ErrQueueFull = errors.New("queue is full")
)

// Packet is a frame and the descriptors that came with it. The receiver closes them.
type Packet struct {
	wire.Frame
	Files []*descriptor.FD

	discard *descriptor.Discarder // the link's; nil in a Packet that came over none
}

// Close closes the descriptors of p, now or later: it never blocks.
func (p Packet) Close() { p.discard.Discard(p.Files) }

// ClosePackets closes the descriptors of packets.
func ClosePackets(packets []Packet) {
	for _, p := range packets {
		p.Close()
	}
}
