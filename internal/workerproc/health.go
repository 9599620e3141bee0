package workerproc

import (
	"context"
	"fmt"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// OnHealth adds a function to be called at health checks; see package worker.
func (w *Worker) OnHealth(f func(context.Context) error) {
	if w.health.Add(f) && w.IsConnected() {
		_ = w.send(wire.Watch, nil) // fails if the master is gone
	}
}

// check answers a health check of the master, or at once if it is only asked for a sign of
// life. It owns p.
func (w *Worker) check(p link.Packet) error {
	p.Close() // the frame carries no descriptors
	var body wire.CheckBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	if body.Within == 0 {
		w.checked(p.Call, nil)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), body.Within)
	begins := w.health.Check(ctx, func(err error) {
		cancel()
		w.checked(p.Call, err)
	})
	if !begins {
		cancel() // the last check is under way; the master counts a missing answer
	}
	return nil
}

// checked sends the result of a health check.
func (w *Worker) checked(call uint32, err error) {
	var body wire.CheckedBody
	if err != nil {
		body.Error = fmt.Sprintf("%.1000s", err)
	}
	_ = w.link.Send(wire.Frame{Type: wire.Checked, Call: call, Body: wire.Body(body)}) // fails if the master is gone
}
