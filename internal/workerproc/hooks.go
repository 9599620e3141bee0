package workerproc

import (
	"context"
	"fmt"
)

// hooks are the functions of OnDisconnect. They are called when no connection expects a
// request, because net/http's Shutdown, the usual hook, drops requests that are read
// after its call. The drain's mutex guards the fields.
type hooks struct {
	added   []hook          // to be called
	ctx     context.Context // for the hooks; set when the drain begins
	called  bool            // callAll was called
	running int             // hooks that have not returned
}

type hook struct {
	f      func(context.Context) error // of the program
	failed func(error)                 // gets the error of f
}

// callAll calls each hook on a goroutine of its own, which then calls returned. Further
// calls of callAll do nothing.
func (h *hooks) callAll(returned func()) {
	h.called = true
	for _, hook := range h.added {
		h.callOne(hook, returned)
	}
	h.added = nil
}

// add adds a hook. It calls the hook at once if callAll was called.
func (h *hooks) add(hook hook, returned func()) {
	if h.called {
		h.callOne(hook, returned)
		return
	}
	h.added = append(h.added, hook)
}

// callOne calls a hook on a goroutine of its own, which then calls returned.
func (h *hooks) callOne(hook hook, returned func()) {
	h.running++
	ctx := h.ctx
	go func() {
		defer returned()
		if err := hook.call(ctx); err != nil {
			hook.failed(err)
		}
	}()
}

// call calls the program's function. A panic counts as an error, so that it doesn't end
// the process, which is serving requests.
func (h hook) call(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return h.f(ctx)
}
