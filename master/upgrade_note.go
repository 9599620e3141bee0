package master

import (
	"context"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/wire"
)

// noteVersion is the version of what two masters say to each other. A later one adds
// fields and kinds; kinds that are not known are passed over.
const noteVersion = 1

// The kinds of note, in the order in which they are sent. See docs/decisions/0020.
const (
	noteHello  = "hello"  // new: I am here
	noteGiven  = "given"  // old: one socket that I was started with, with its descriptor
	noteSocket = "socket" // old: one socket of mine, with its descriptor
	noteState  = "state"  // old: the rest of what I know; now start
	noteReady  = "ready"  // new: my workers are ready
	noteFailed = "failed" // new: I can't, and end
	noteGo     = "go"     // old: you are the master
	noteLate   = "late"   // old: what I was asked for since
	noteStop   = "stop"   // old: end
)

// note is what two masters say to each other.
type note struct {
	Kind    string                     `json:"kind"`
	Version int                        `json:"version,omitempty"` // hello
	PID     int                        `json:"pid,omitempty"`     // hello
	Given   *sockets.InheritedSnapshot `json:"given,omitempty"`
	Socket  *sockets.Snapshot          `json:"socket,omitempty"`
	State   *stateNote                 `json:"state,omitempty"` // state, go, late
	Reason  string                     `json:"reason,omitempty"`
	AtOnce  bool                       `json:"atOnce,omitempty"` // stop
}

// stateNote is what a master knows besides its sockets.
type stateNote struct {
	Workers    int                    `json:"workers"`
	Scaled     bool                   `json:"scaled,omitempty"` // Workers is not the configuration's
	Generation int                    `json:"generation"`
	LastID     int                    `json:"lastID"`
	Served     map[int][]string       `json:"served,omitempty"` // by slot: the names of sockets
	Ports      []sockets.PortSnapshot `json:"ports,omitempty"`
	Reload     bool                   `json:"reload,omitempty"`   // one waits
	Watchdog   time.Duration          `json:"watchdog,omitempty"` // systemd's, which named the first master's pid
}

// masterLink is the link between an old master and a new one.
type masterLink struct{ *link.Link }

func (l masterLink) send(n note, files ...*descriptor.FD) {
	_ = l.Send(wire.Frame{Type: wire.Message, Body: wire.Body(n)}, files...) // where it has ended, its reader knows
}

// read calls heard with each note until the link ends. heard owns the files.
func (l masterLink) read(heard func(note, []*descriptor.FD)) error {
	defer l.CloseReceived()
	for {
		packets, err := l.Receive()
		if err != nil {
			return err
		}
		for i, p := range packets {
			var n note
			if err := p.Decode(&n); err != nil {
				for _, rest := range packets[i:] {
					rest.Close()
				}
				return err
			}
			heard(n, p.Files)
		}
	}
}

// flush delivers what was sent before this process ends.
func (l masterLink) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.Flush(ctx)
}

// end closes the link when what was sent is delivered.
func (l masterLink) end() {
	l.flush()
	_ = l.Close()
}

func closeDescriptors(files []*descriptor.FD) {
	for _, f := range files {
		_ = f.Close()
	}
}
