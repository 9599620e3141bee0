package master

import (
	"encoding/json"
	"fmt"
	"net"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
)

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

// portNote is the port that a port 0 came to be.
type portNote struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Packet  bool   `json:"packet,omitempty"`
	Index   int    `json:"index,omitempty"`
	Port    string `json:"port"`
}

// note returns the payload of a Socket message.
func (s *socket) note() json.RawMessage {
	n := &socketNote{
		Network: s.key.network, Address: s.key.address, Packet: s.key.packet, Index: s.key.index,
		Name: s.addr.String(), NameNet: s.addr.Network(),
	}
	if s.file != nil {
		n.Path = s.file.path
	}
	return wire.Body(n)
}

// sendSockets sends the sockets that the new master has not got yet.
func (l *loop) sendSockets(u *upgrade) {
	for id, s := range l.sockets.byID {
		if s.fd == nil || u.sent[id] {
			continue
		}
		u.sent[id] = true
		if fd, err := s.fd.Dup(); err == nil {
			u.link.Send(&successor.Message{Kind: successor.Socket, Socket: s.note()}, fd)
		} else {
			l.failUpgrade(u, err)
		}
	}
}

func (n *socketNote) key() socketKey {
	return socketKey{n.Network, n.Address, n.Packet, n.Index}
}

// realAddr is a socket's address as the old master knew it.
type realAddr struct{ network, text string }

var _ net.Addr = realAddr{}

func (a realAddr) Network() string { return a.network }
func (a realAddr) String() string  { return a.text }

// adopt takes a socket of the old master, the payload of a Socket message. It takes files.
func (t *sockets) adopt(note json.RawMessage, files []*descriptor.FD) error {
	var n socketNote
	if err := json.Unmarshal(note, &n); err != nil {
		descriptor.CloseAll(files)
		return fmt.Errorf("socket of the old master: %w", err)
	}
	if len(files) != 1 {
		descriptor.CloseAll(files)
		return fmt.Errorf("socket %s %s came with %d descriptors", n.Network, n.Address, len(files))
	}
	if t.byKey[n.key()] != nil {
		descriptor.CloseAll(files)
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

// portNotes returns the ports for a snapshot.
func (t *sockets) portNotes() json.RawMessage {
	if len(t.ports) == 0 {
		return nil
	}
	var all []portNote
	for k, port := range t.ports {
		all = append(all, portNote{k.network, k.address, k.packet, k.index, port})
	}
	return wire.Body(all)
}

// adoptPorts takes the ports of the old master's snapshot. It ignores what it can't read.
func (t *sockets) adoptPorts(ports json.RawMessage) {
	var all []portNote
	_ = json.Unmarshal(ports, &all)
	for _, p := range all {
		t.ports[socketKey{p.Network, p.Address, p.Packet, p.Index}] = p.Port
	}
}
