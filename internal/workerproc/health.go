package workerproc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// health holds the functions of OnHealth.
type health struct {
	mu      sync.Mutex
	funcs   []func(context.Context) error
	running bool
}

// OnHealth adds a function to be called at health checks; see package worker.
func (w *Worker) OnHealth(f func(context.Context) error) {
	h := &w.health
	h.mu.Lock()
	h.funcs = append(h.funcs, f)
	first := len(h.funcs) == 1
	h.mu.Unlock()
	if first && w.IsConnected() {
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
	funcs, ok := w.health.start()
	if !ok {
		return nil // the last check is under way; the master counts a missing answer
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), body.Within)
		defer cancel()
		err := callAll(ctx, funcs)
		w.health.finish()
		w.checked(p.Call, err)
	}()
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

// start returns the functions, unless they are being called already.
func (h *health) start() ([]func(context.Context) error, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running {
		return nil, false
	}
	h.running = true
	return h.funcs, true
}

// finish allows the next start.
func (h *health) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = false
}

// callAll calls all functions and joins their errors.
func callAll(ctx context.Context, funcs []func(context.Context) error) (err error) {
	for _, f := range funcs {
		err = errors.Join(err, callOne(ctx, f))
	}
	return err
}

// callOne calls f. A panic counts as an error.
func callOne(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f(ctx)
}
