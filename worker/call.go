package worker

import (
	"context"
	"fmt"
	"sync"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/wire"
)

// calls are the questions to the master that wait for an answer.
type calls struct {
	mu      sync.Mutex
	last    uint32
	waiting map[uint32]chan<- link.Packet
}

func (c *calls) open() (uint32, <-chan link.Packet) {
	answer := make(chan link.Packet, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = make(map[uint32]chan<- link.Packet)
	}
	c.last++
	c.waiting[c.last] = answer
	return c.last, answer
}

// close gives up the call. It reports whether the answer had not come yet; if
// it had, it is in the channel.
func (c *calls) close(id uint32) (early bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, early = c.waiting[id]
	delete(c.waiting, id)
	return early
}

// answer gives p to who waits for it, and reports whether somebody did.
func (c *calls) answer(p link.Packet) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.waiting[p.Call]
	if ok {
		answer <- p // has room: an id is answered once
		delete(c.waiting, p.Call)
	}
	return ok
}

// ask asks the master for a socket and returns its id there and its descriptor,
// which is the caller's. It never outlives the link or ctx.
func (w *Worker) ask(ctx context.Context, r bind.Request) (int, *descriptor.FD, error) {
	id, answer := w.calls.open()
	err := w.link.Send(wire.Frame{Type: wire.Listen, Call: id, Body: wire.Body(r)})
	if err == nil {
		select {
		case p := <-answer:
			return socketIn(p)
		case <-w.gone:
			err = w.disconnected("listen")
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if !w.calls.close(id) {
		return socketIn(<-answer) // it came after all
	}
	return 0, nil, err
}

// answered gives an answer to its call. A socket for which nobody waits any more
// goes back.
func (w *Worker) answered(p link.Packet) error {
	if p.Type == wire.Socket && len(p.Files) != 1 {
		return fmt.Errorf("%w: a socket with %d", wire.ErrDescriptors, len(p.Files))
	}
	if w.calls.answer(p) {
		return nil
	}
	if id, fd, err := socketIn(p); err == nil {
		_ = fd.Close()
		return w.send(wire.Closed, wire.ClosedBody{ID: id})
	}
	return nil
}

// socketIn reads an answer. It takes p.
func socketIn(p link.Packet) (id int, fd *descriptor.FD, err error) {
	if p.Type == wire.Failed {
		defer p.Close()
		var body wire.FailedBody
		if err := p.Decode(&body); err != nil {
			return 0, nil, err
		}
		return 0, nil, neterr.Decode(body)
	}
	var body wire.SocketBody
	if err := p.Decode(&body); err != nil {
		p.Close()
		return 0, nil, err
	}
	return body.ID, p.Files[0], nil
}
