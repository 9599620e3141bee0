// Package hooks calls the functions of the program that a worker calls when it leaves, those of
// OnDisconnect and of OnLeave, and at health checks.
package hooks

import (
	"context"
	"fmt"
)

// Hooks are the functions of OnDisconnect. They are called when no connection expects a
// request, because net/http's Shutdown, the usual hook, drops requests that are read
// after its call. The caller has a lock for the methods.
type Hooks struct {
	Context context.Context // for the hooks; set when the drain begins

	added   []hook // to be called
	called  bool   // CallAll was called
	running int    // hooks that have not returned
}

type hook struct {
	f      func(context.Context) error // of the program
	failed func(error)                 // gets the error of f
}

// CallAll calls each hook on a goroutine of its own, which then calls returned. Further
// calls of CallAll do nothing.
func (h *Hooks) CallAll(returned func()) {
	h.called = true
	for _, hook := range h.added {
		h.callOne(hook, returned)
	}
	h.added = nil
}

// Add adds f, whose error failed gets. It calls f at once if CallAll was called.
func (h *Hooks) Add(f func(context.Context) error, failed func(error), returned func()) {
	hook := hook{f, failed}
	if h.called {
		h.callOne(hook, returned)
		return
	}
	h.added = append(h.added, hook)
}

// callOne calls a hook on a goroutine of its own, which then calls returned.
func (h *Hooks) callOne(hook hook, returned func()) {
	h.running++
	ctx := h.Context
	go func() {
		defer returned()
		if err := call(ctx, hook.f); err != nil {
			hook.failed(err)
		}
	}()
}

// Returned records that a hook has returned.
func (h *Hooks) Returned() { h.running-- }

// Over reports whether no hook runs.
func (h *Hooks) Over() bool { return h.running == 0 }

// call calls a function of the program. A panic counts as an error, so that it doesn't end
// the process, which is serving requests.
func call(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f(ctx)
}
