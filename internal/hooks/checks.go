package hooks

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Checks are the functions of OnHealth. The zero value has none.
type Checks struct {
	mu      sync.Mutex
	funcs   []func(context.Context) error
	running bool
}

// Add adds a function. It reports whether that is the first.
func (c *Checks) Add(f func(context.Context) error) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.funcs = append(c.funcs, f)
	return len(c.funcs) == 1
}

// Start returns a function that calls all functions, one after the other, and joins their
// errors. ok is false if they are being called already.
func (c *Checks) Start() (call func(context.Context) error, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return nil, false
	}
	c.running = true
	funcs := c.funcs
	return func(ctx context.Context) error {
		defer c.finish()
		return callAll(ctx, funcs)
	}, true
}

// finish allows the next Start.
func (c *Checks) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
}

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
