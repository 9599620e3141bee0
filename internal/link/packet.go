// Package link is the link of a master and a worker: one unix socketpair a
// worker, frames of package wire on it, and descriptors beside them. Both ends
// use it; it knows nothing of what the frames mean.
//
// The death of the other side is EOF on the link, and EOF is the only sign of
// death: nobody polls, asks for its parent's pid, or sends heartbeats.
package link

import (
	"errors"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

const (
	// MaxQueue bounds what waits to be written to a link, in bytes, before
	// [Link.Send] refuses a Message. A descriptor counts as fdCost bytes.
	MaxQueue = 4 << 20
	// hardQueue ends a link whose other side never reads, whatever is waiting.
	hardQueue = 64 << 20
	fdCost    = 4 << 10
)

var (
	// ErrClosed is in every error of a link that has ended.
	ErrClosed = errors.New("link is closed")
	// ErrQueueFull says that the other side doesn't read fast enough.
	ErrQueueFull = errors.New("queue is full")
)

// Packet is a frame and the descriptors that came with it, which are the
// receiver's to close.
type Packet struct {
	wire.Frame
	Files []*descriptor.FD
}

// Close closes the descriptors of p.
func (p Packet) Close() { descriptor.CloseAll(p.Files) }
