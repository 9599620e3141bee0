package master

import (
	"encoding/json"
	"fmt"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
)

// The sockets in the messages of an upgrade: the payloads are the snapshots of package
// sockets as JSON.

// sendInherited sends the sockets that the first master was started with.
func (l *loop) sendInherited(u *upgrade) {
	l.sockets.SendInherited(func(s *sockets.InheritedSnapshot, fd *descriptor.FD) {
		u.link.Send(&successor.Message{Kind: successor.Given, Given: wire.Body(s)}, fd)
	})
}

// sendSockets sends the sockets that the new master has not got yet.
func (l *loop) sendSockets(u *upgrade) {
	for s := range l.sockets.Sockets() {
		if u.sent[s.ID] {
			continue
		}
		u.sent[s.ID] = true
		if fd, err := s.FD.Dup(); err == nil {
			u.link.Send(&successor.Message{Kind: successor.Socket, Socket: wire.Body(l.sockets.Snapshot(s.ID))}, fd)
		} else {
			l.failUpgrade(u, err)
		}
	}
}

// restoreInherited takes a socket that the first master was started with, the payload of
// a Given message, and its files. It ignores what it can't read.
func (l *loop) restoreInherited(payload json.RawMessage, files []*descriptor.FD) {
	var s sockets.InheritedSnapshot
	if json.Unmarshal(payload, &s) != nil {
		descriptor.CloseAll(files)
		return
	}
	l.sockets.Inherit(&s, files)
}

// restoreSocket takes a socket of the old master, the payload of a Socket message, and its
// files.
func (l *loop) restoreSocket(payload json.RawMessage, files []*descriptor.FD) error {
	var s sockets.Snapshot
	if err := json.Unmarshal(payload, &s); err != nil {
		descriptor.CloseAll(files)
		return fmt.Errorf("socket of the old master: %w", err)
	}
	return l.sockets.Restore(&s, files)
}

// portsSnapshot returns the ports that the system has chosen, for a snapshot.
func (l *loop) portsSnapshot() json.RawMessage {
	ports := l.sockets.Ports()
	if len(ports) == 0 {
		return nil
	}
	return wire.Body(ports)
}

// restorePorts takes the ports of the old master's snapshot. It ignores what it can't read.
func (l *loop) restorePorts(payload json.RawMessage) {
	var ports []sockets.PortSnapshot
	_ = json.Unmarshal(payload, &ports)
	l.sockets.RestorePorts(ports)
}
