package workerproc

import (
	"context"
	"fmt"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// Lead calls f while this worker is the leader; see package worker.
func (w *Worker) Lead(ctx context.Context, name string, f func(context.Context) error) error {
	if !w.IsConnected() {
		return w.disconnected("lead")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &term{func() { cancel(w.disconnected("lead")) }}
	if !w.drain.addSource(t) {
		return w.disconnected("lead")
	}
	defer w.drain.removeSource(t) // the last: the drain waits until the master is told
	id, answer := w.calls.Open()
	defer w.yield(id)
	token, err := w.awaitLease(ctx, id, name, answer)
	if err != nil {
		return err
	}
	defer token.Close()
	return f(ctx)
}

// term is a call of Lead, a source of the drain: when that begins, the function is told to
// return, and the worker doesn't leave before it has returned, within the grace.
type term struct{ end func() }

func (t *term) closeSource() { t.end() }
func (t *term) busy() bool   { return true }

// awaitLease asks for a lease, and waits until the master has granted it, ctx ends or the link
// is closed. The caller closes the answer, whose descriptor is open as long as it leads.
func (w *Worker) awaitLease(ctx context.Context, id uint32, name string, answer <-chan link.Packet) (token link.Packet, err error) {
	err = w.link.Send(wire.Frame{Type: wire.Lead, Call: id, Body: wire.Body(wire.LeadBody{Name: name})})
	if err == nil {
		select {
		case token = <-answer:
			err = granted(token)
		case <-w.closed:
		case <-ctx.Done():
		}
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case !w.IsConnected():
		err = w.disconnected("lead")
	}
	if err == nil {
		return token, nil
	}
	if !w.calls.Cancel(id) && token.Type == 0 {
		token = <-answer // it has come meanwhile
	}
	token.Close()
	return token, err
}

// granted returns why an answer is no lease, or nil.
func granted(p link.Packet) error {
	if p.Type == wire.Leads {
		return nil
	}
	_, err := socketIn(p)
	return fmt.Errorf("lead: %w", err)
}

// yield tells the master that a call of Lead is over.
func (w *Worker) yield(id uint32) {
	_ = w.link.Send(wire.Frame{Type: wire.Yield, Call: id}) // fails if the master is gone
}

// leads delivers a lease to its call, which may have been given up. It owns p.
func (w *Worker) leads(p link.Packet) error {
	if len(p.Files) != 1 {
		return fmt.Errorf("%w: a lease with %d", wire.ErrDescriptors, len(p.Files))
	}
	if !w.calls.Answer(p) {
		p.Close()
	}
	return nil
}
