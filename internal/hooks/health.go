package hooks

import (
	"context"
	"errors"
	"sync"
)

// Health holds the functions of OnHealth. The zero value has none.
type Health struct {
	mu      sync.Mutex
	funcs   []func(context.Context) error
	running bool
}

// Add adds a function, and reports whether it is the first.
func (h *Health) Add(f func(context.Context) error) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.funcs = append(h.funcs, f)
	return len(h.funcs) == 1
}

// Check calls all functions on a goroutine of its own, and then calls done with their errors,
// joined. It does nothing if those of the last Check have not returned.
func (h *Health) Check(ctx context.Context, done func(error)) (begins bool) {
	funcs, ok := h.start()
	if ok {
		go func() {
			var err error
			for _, f := range funcs {
				err = errors.Join(err, call(ctx, f))
			}
			h.finish()
			done(err)
		}()
	}
	return ok
}

// start returns the functions, unless they are being called already.
func (h *Health) start() ([]func(context.Context) error, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running {
		return nil, false
	}
	h.running = true
	return h.funcs, true
}

// finish allows the next start.
func (h *Health) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = false
}
