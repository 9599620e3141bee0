package view

import (
	"context"
	"fmt"
	"time"

	"github.com/rota-go/rota/internal/newest"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/status"
)

// countTimeout is how long the answer to a worker that asks for the status waits for other workers.
const countTimeout = 500 * time.Millisecond

// Teller answers workers that ask for the status: however many ask, the master is asked once in
// newest.Pause. Tell runs on the master's loop.
type Teller struct {
	work   func(f func() func()) // runs f on another goroutine, and what it returns on the loop
	source newest.Source[status.Status]
	asking map[int]bool // workers, by id, that have no answer yet
}

// NewTeller returns a Teller. count asks the master, until its context ends; ctx ends with the loop.
func NewTeller(ctx context.Context, count func(context.Context) status.Status, work func(f func() func())) *Teller {
	t := &Teller{work: work, asking: map[int]bool{}}
	t.source.Get = func() (status.Status, bool) {
		ctx, cancel := context.WithTimeout(ctx, countTimeout)
		defer cancel()
		return count(ctx), true
	}
	return t
}

// Tell answers the call of a worker with send, some time later. It fails if the worker has no answer to the last one yet.
func (t *Teller) Tell(id int, call uint32, send func(wire.Frame)) error {
	if t.asking[id] {
		return fmt.Errorf("%w: %v again before the answer", wire.ErrType, wire.AskStatus)
	}
	t.asking[id] = true
	t.work(func() func() {
		s, _ := t.source.Now()
		body := wire.Body(s)
		return func() {
			delete(t.asking, id)
			send(wire.Frame{Type: wire.Status, Call: call, Body: body})
		}
	})
	return nil
}
