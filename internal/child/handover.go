package child

import (
	"fmt"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/statepipe"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// HandOver makes a pair over which connections of p move to another worker, and calls send
// with the receiver's end, which send owns.
func (p *Process) HandOver(send func(receiver *descriptor.FD)) error {
	return p.pair(wire.Frame{Type: wire.HandOver}, send)
}

// Spare is HandOver of some connections, while p stays.
func (p *Process) Spare(connections int, send func(receiver *descriptor.FD)) error {
	return p.pair(wire.Frame{Type: wire.Spare, Body: wire.Body(wire.SpareBody{Connections: connections})}, send)
}

func (p *Process) pair(f wire.Frame, send func(receiver *descriptor.FD)) error {
	sender, receiver, err := handover.NewPair()
	if err != nil {
		return err
	}
	send(receiver)
	_ = p.Link.Send(f, sender)
	return nil
}

// TakeOver has p take connections of another worker over a pair, of which it owns this end.
func (p *Process) TakeOver(pair *descriptor.FD) {
	_ = p.Link.Send(wire.Frame{Type: wire.Receive}, pair)
}

// Inherit answers p, which asks for what the worker before it leaves, with one end of a pipe, and
// calls write with m, which is p's, and the other, which write owns. If no pipe can be made, p gets
// none. It fails if p has asked before.
func (p *Process) Inherit(call uint32, m reload.Member, write func(m reload.Member, pipe *descriptor.FD)) error {
	if p.inherits {
		return fmt.Errorf("%w: %v again", wire.ErrType, wire.Inherit)
	}
	p.inherits = true
	f := wire.Frame{Type: wire.Inherit, Call: call}
	r, w, err := statepipe.New()
	if err != nil {
		_ = p.Link.Send(f)
		return nil
	}
	write(m, w)
	_ = p.Link.Send(f, r)
	return nil
}

// GiveState has p write what it leaves to a pipe, of which it owns this end.
func (p *Process) GiveState(pipe *descriptor.FD) {
	if p == nil {
		_ = pipe.Close() // nothing was written to it
		return
	}
	_ = p.Link.Send(wire.Frame{Type: wire.GiveState}, pipe)
}
