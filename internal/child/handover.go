package child

import (
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/wire"
)

// HandOver makes a pair over which connections of p move to another worker, and calls send
// with the receiver's end, which send owns.
func (p *Process) HandOver(send func(receiver *descriptor.FD)) error {
	sender, receiver, err := handover.NewPair()
	if err != nil {
		return err
	}
	send(receiver)
	_ = p.Link.Send(wire.Frame{Type: wire.HandOver}, sender)
	return nil
}

// TakeOver has p take connections of another worker over a pair, of which it owns this end.
func (p *Process) TakeOver(pair *descriptor.FD) {
	_ = p.Link.Send(wire.Frame{Type: wire.Receive}, pair)
}
