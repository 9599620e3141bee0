package successor

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// Loop is the goroutine that owns a master's state, and with it an Attempt or a Follower.
type Loop struct {
	Post  func(f func())                                // calls f on it; only goroutines of Work may post
	Work  func(f func() func())                         // calls f on another goroutine, and on it what f returns
	After func(d time.Duration, f func()) (stop func()) // calls f on it after d
}

// Sockets are a master's sockets: a *sockets.Table. The payloads are JSON that only the
// table understands. Inherit and Restore take the files; a send function takes the
// descriptor.
type Sockets interface {
	SendInherited(send func(json.RawMessage, *descriptor.FD))
	SendOpen(sent map[[2]int]bool, send func(json.RawMessage, *descriptor.FD)) error
	// Binding reports whether a worker waits for a socket.
	Binding() bool
	// OnOpened has f called whenever a socket was opened, until it is called with nil.
	OnOpened(f func())
	Inherit(payload json.RawMessage, files []*descriptor.FD)
	// Restore takes a socket. With late the workers of this master may not have asked for it
	// yet, as it was opened after they were started.
	Restore(payload json.RawMessage, files []*descriptor.FD, late bool) error
	// NoneComes says that Restore isn't called any more.
	NoneComes()
	OwnFiles()
	DisownFiles()
}

// System is what an upgrade does to processes. Tests replace the functions.
type System struct {
	// Predecessor returns the link to the master that this process is to follow, which is
	// the caller's to close. ok is false in a process that follows no master, and after the
	// first call. With an error the process was meant to follow one and can't.
	Predecessor func() (l *Link, ok bool, err error)
	// Following reports whether Predecessor would return a link, or an error; nil: it would not.
	Following func() bool
	// SignalReady tells the old master that this one has taken over. Its error means that
	// the old master has died.
	SignalReady func() error
	// AwaitParent waits until this master's own predecessor has exited, or ctx ends.
	AwaitParent func(ctx context.Context)
	// Start starts the new master with end, which it closes. It calls starting before it
	// starts the process. It returns nil when the new master has signalled that it is
	// ready, and an error if it could not be started or has exited before.
	Start func(ctx context.Context, end *os.File, mark string, starting func()) error
	// Kill kills the process that Start has started with mark.
	Kill func(mark string)
}

// Follows reports whether this process is to follow another master, which Predecessor has not
// returned yet.
func (s System) Follows() bool { return s.Following != nil && s.Following() }

// NewSystem returns the System of this process.
func NewSystem() System {
	return System{
		Predecessor: predecessor.take, Following: predecessor.follows, SignalReady: signalReady,
		AwaitParent: awaitParent, Start: start, Kill: kill,
	}
}
