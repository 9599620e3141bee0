// Package message sends and receives the messages of package ipc on a link. Master and
// worker use it; programs have their Send methods.
package message

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// Link is the part of a link that Send needs.
type Link interface {
	Send(wire.Frame, ...*descriptor.FD) error
}

// Send puts a message on a link, in a frame of type t. It never blocks and never panics. If it fails, nothing
// was sent and the handles are as they were.
func Send(to Link, t wire.Type, v any, handles []ipc.Handle) error {
	body, err := Marshal(v)
	if err != nil {
		return err
	}
	fds, err := dupAll(handles)
	if err != nil {
		return err
	}
	if err := to.Send(wire.Frame{Type: t, Body: body}, fds...); err != nil {
		return sendError(err)
	}
	for _, h := range handles {
		h.(sendable).Sent() // dupAll has seen that it is
	}
	return nil
}

// Marshal returns v as the JSON of a message, which may be too large. A panic in the program's
// MarshalJSON becomes an error.
func Marshal(v any) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("message: %T as JSON: panic: %v", v, p)
		}
	}()
	if body, err = json.Marshal(v); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	return body, nil
}

func sendError(err error) error {
	if errors.Is(err, link.ErrClosed) {
		return fmt.Errorf("%w: %w", ipc.ErrDisconnected, err)
	}
	return err
}

// Received returns the message in a packet. Its handles own the packet's descriptors
// together with the packet: whichever closes one first.
func Received(p link.Packet) ipc.Message {
	m := ipc.Message{Data: p.Body}
	if p.Type == wire.Broadcast {
		m.From = int(p.Call)
	}
	if len(p.Files) > 0 {
		m.Handles = make([]ipc.Handle, len(p.Files))
		for i, fd := range p.Files {
			m.Handles[i] = received{fd}
		}
	}
	return m
}

const (
	packetCost = 128     // bytes for a packet's own fields
	handleCost = 4 << 10 // bytes for a descriptor, which is scarcer than memory
)

// Cost returns how many bytes a waiting packet counts for.
func Cost(p link.Packet) int { return len(p.Body) + packetCost + handleCost*len(p.Files) }
