package master

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/wire"
)

// noteVersion is the version of what two masters say to each other. A later one adds
// fields and kinds; kinds that are not known are passed over.
const noteVersion = 1

// The kinds of note, in the order in which they are sent. See docs/decisions/0015.
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
	Kind    string      `json:"kind"`
	Version int         `json:"version,omitempty"` // hello
	PID     int         `json:"pid,omitempty"`     // hello
	Given   *givenNote  `json:"given,omitempty"`
	Socket  *socketNote `json:"socket,omitempty"`
	State   *stateNote  `json:"state,omitempty"` // state, go, late
	Reason  string      `json:"reason,omitempty"`
	AtOnce  bool        `json:"atOnce,omitempty"` // stop
}

// socketNote is a socket, and what makes it that socket.
type socketNote struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Packet  bool   `json:"packet,omitempty"`
	Index   int    `json:"index,omitempty"`
	Name    string `json:"name"`           // the real address
	NameNet string `json:"nameNet"`        // its network
	Path    string `json:"path,omitempty"` // of a file that is to be unlinked with it
}

// stateNote is what a master knows besides its sockets.
type stateNote struct {
	Workers    int              `json:"workers"`
	Scaled     bool             `json:"scaled,omitempty"` // Workers is not the configuration's
	Generation int              `json:"generation"`
	LastID     int              `json:"lastID"`
	Served     map[int][]string `json:"served,omitempty"` // by slot: the names of sockets
	Ports      []portNote       `json:"ports,omitempty"`
	Reload     bool             `json:"reload,omitempty"`   // one waits
	Watchdog   time.Duration    `json:"watchdog,omitempty"` // systemd's, which named the first master's pid
}

// portNote is the port that a port 0 came to be.
type portNote struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Packet  bool   `json:"packet,omitempty"`
	Index   int    `json:"index,omitempty"`
	Port    string `json:"port"`
}

// masterLink is the link between an old master and a new one.
type masterLink struct{ *control.Link }

func (l masterLink) send(n note, files ...*control.FD) {
	_ = l.Send(wire.Frame{Type: wire.Message, Body: wire.Body(n)}, files...) // where it has ended, its reader knows
}

// read calls heard with each note until the link ends. heard owns the files.
func (l masterLink) read(heard func(note, []*control.FD)) error {
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

func (s *socket) note() *socketNote {
	n := &socketNote{
		Network: s.key.network, Address: s.key.address, Packet: s.key.packet, Index: s.key.index,
		Name: s.addr.String(), NameNet: s.addr.Network(),
	}
	if s.file != nil {
		n.Path = s.file.path
	}
	return n
}

func (n *socketNote) key() socketKey {
	return socketKey{n.Network, n.Address, n.Packet, n.Index}
}

// realAddr is a socket's address as the old master knew it.
type realAddr struct{ network, text string }

var _ net.Addr = realAddr{}

func (a realAddr) Network() string { return a.network }
func (a realAddr) String() string  { return a.text }

// adopt takes a socket of the old master. It takes files.
func (t *sockets) adopt(n *socketNote, files []*control.FD) error {
	if len(files) != 1 {
		closeDescriptors(files)
		return fmt.Errorf("socket %s %s came with %d descriptors", n.Network, n.Address, len(files))
	}
	if t.byKey[n.key()] != nil {
		closeDescriptors(files)
		return nil // came before, or is this master's own by now
	}
	s := t.open(n.key())
	s.fd, s.addr = files[0], realAddr{n.NameNet, n.Name}
	if n.Path != "" {
		s.lent, _ = identify(n.Path) // gone already: nothing to unlink
	}
	return nil
}

// own makes this master the one that unlinks the files.
func (t *sockets) own() {
	for _, s := range t.byID {
		if s.lent != nil {
			s.file, s.lent = s.lent, nil
		}
	}
}

// disown leaves the files to the next master.
func (t *sockets) disown() {
	for _, s := range t.byID {
		s.file, s.lent = nil, nil
	}
}

func closeDescriptors(files []*control.FD) {
	for _, f := range files {
		_ = f.Close()
	}
}

func (t *sockets) portNotes() (all []portNote) {
	for k, port := range t.ports {
		all = append(all, portNote{k.network, k.address, k.packet, k.index, port})
	}
	return all
}

func (t *sockets) adoptPorts(all []portNote) {
	for _, p := range all {
		t.ports[socketKey{p.Network, p.Address, p.Packet, p.Index}] = p.Port
	}
}
