// Package hooks calls the functions of OnDisconnect, OnLeave and OnHealth.
package hooks

import (
	"context"
	"fmt"
)

// Hooks are the functions of OnDisconnect. They are called when no connection expects a
// request, because net/http's Shutdown, the usual hook, drops requests that are read
// after its call. The caller of the methods, the drain, has a mutex around them.
type Hooks struct {
	Context context.Context // for the functions; set when the drain begins
	Running int             // functions that have not returned; who is called back when one has lowers it

	added  []Hook // to be called
	called bool   // CallAll was called
}

// Hook is one of the functions.
type Hook struct {
	F      func(context.Context) error // of the program
	Failed func(error)                 // gets the error of F
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

// Add adds a hook. It calls the hook at once if CallAll was called.
func (h *Hooks) Add(hook Hook, returned func()) {
	if h.called {
		h.callOne(hook, returned)
		return
	}
	h.added = append(h.added, hook)
}

// callOne calls a hook on a goroutine of its own, which then calls returned.
func (h *Hooks) callOne(hook Hook, returned func()) {
	h.Running++
	ctx := h.Context
	go func() {
		defer returned()
		if err := hook.call(ctx); err != nil {
			hook.Failed(err)
		}
	}()
}

// call calls the program's function. A panic counts as an error, so that it doesn't end
// the process, which is serving requests.
func (h Hook) call(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return h.F(ctx)
}
