package ipc

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// Link is the part of the library's link that messages need. What is in this file is
// for packages master and worker; programs have their Send methods.
type Link interface {
	Send(wire.Frame, ...*descriptor.FD) error
}

// Send puts a message on a link. It never blocks.
func Send(to Link, v any, handles []Handle) error {
	body, err := marshal(v)
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	fds, err := dupAll(handles)
	if err != nil {
		return err
	}
	if err := to.Send(wire.Frame{Type: wire.Message, Body: body}, fds...); err != nil {
		return sendError(err)
	}
	for _, h := range handles {
		h.sent()
	}
	return nil
}

// marshal turns a panic of the program's MarshalJSON into an error: Send never panics.
func marshal(v any) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%T as JSON: panic: %v", v, p)
		}
	}()
	return json.Marshal(v)
}

// dupAll returns descriptors of all, or of none.
func dupAll(handles []Handle) (fds []*descriptor.FD, err error) {
	for i, h := range handles {
		fd, err := h.dup()
		if err != nil {
			for _, fd := range fds {
				_ = fd.Close()
			}
			return nil, fmt.Errorf("handle %d of %d: %w", i+1, len(handles), err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func sendError(err error) error {
	if errors.Is(err, link.ErrClosed) {
		return fmt.Errorf("%w: %w", ErrDisconnected, err)
	}
	return err
}

// Received makes a message of a packet, whose descriptors it shares.
func Received(p link.Packet) Message {
	m := Message{body: p.Body}
	if len(p.Files) > 0 {
		m.Handles = make([]Handle, len(p.Files))
		for i, fd := range p.Files {
			m.Handles[i] = Handle{fd: fd}
		}
	}
	return m
}

const (
	packetCost = 128     // of a packet's own fields
	handleCost = 4 << 10 // a descriptor is scarcer than memory
)

// Cost is what a waiting packet counts for, in bytes.
func Cost(p link.Packet) int { return len(p.Body) + packetCost + handleCost*len(p.Files) }
