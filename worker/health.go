package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// health is what the program has to say of itself.
type health struct {
	mu      sync.Mutex
	funcs   []func(context.Context) error
	running bool
}

// OnHealth has f called every master.Config.HealthInterval: it returns nil while the
// worker is well. A worker that has not been well, or has not answered, for
// HealthFailures times in a row is replaced, its successor ready first. The context
// ends when the master no longer waits. All functions that were given are asked, one
// after the other; the next call waits for the end of the last. A worker that never
// calls OnHealth is never asked.
func (w *Worker) OnHealth(f func(context.Context) error) {
	h := &w.health
	h.mu.Lock()
	h.funcs = append(h.funcs, f)
	first := len(h.funcs) == 1
	h.mu.Unlock()
	if first && w.IsConnected() {
		_ = w.send(wire.Watch, nil) // fails where nobody would ask
	}
}

// check answers a Check of the master. It takes p.
func (w *Worker) check(p link.Packet) error {
	p.Close() // carries none
	var body wire.CheckBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	funcs, ok := w.health.begin()
	if !ok {
		return nil // the last is under way: no answer is one
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), body.Within)
		defer cancel()
		err := ask(ctx, funcs)
		w.health.end()
		w.checked(p.Call, err)
	}()
	return nil
}

func (w *Worker) checked(call uint32, err error) {
	var body wire.CheckedBody
	if err != nil {
		body.Error = fmt.Sprintf("%.1000s", err)
	}
	_ = w.link.Send(wire.Frame{Type: wire.Checked, Call: call, Body: wire.Body(body)}) // fails where nobody asks any more
}

func (h *health) begin() ([]func(context.Context) error, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running {
		return nil, false
	}
	h.running = true
	return h.funcs, true
}

func (h *health) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = false
}

// ask asks all of them.
func ask(ctx context.Context, funcs []func(context.Context) error) (err error) {
	for _, f := range funcs {
		err = errors.Join(err, askOne(ctx, f))
	}
	return err
}

// askOne turns a panic into an answer: it is one.
func askOne(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f(ctx)
}
