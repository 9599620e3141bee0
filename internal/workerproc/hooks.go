package workerproc

import (
	"context"
	"fmt"
)

// hooks are the functions of OnDisconnect. They run when no connection expects a
// request any more, and not before: net/http's Shutdown, which belongs here, drops a
// request that it reads after it has been called. The drain's mutex guards them.
type hooks struct {
	list    []hook
	ctx     context.Context // theirs, once the drain has begun
	started bool
	running int
}

type hook struct {
	run    func(context.Context) error
	failed func(error)
}

// run starts all of them, once. Each calls ended when it has returned.
func (h *hooks) run(ended func()) {
	h.started = true
	for _, hook := range h.list {
		h.start(hook, ended)
	}
	h.list = nil
}

// add takes a hook on, and starts it if the others have been.
func (h *hooks) add(hook hook, ended func()) {
	if h.started {
		h.start(hook, ended)
		return
	}
	h.list = append(h.list, hook)
}

func (h *hooks) start(hook hook, ended func()) {
	h.running++
	ctx := h.ctx
	go func() {
		defer ended()
		if err := hook.call(ctx); err != nil {
			hook.failed(err)
		}
	}()
}

// call turns a panic of the program's hook into an error: the requests of the
// others are not its to cut.
func (h hook) call(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return h.run(ctx)
}
