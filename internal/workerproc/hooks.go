package workerproc

import (
	"context"
	"fmt"
)

// freshTicks is how many ticks a connection that has said nothing yet is waited
// for before the hooks run.
const freshTicks = 10

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

// expectsRequest reports whether the client may send, or has just sent, a request
// that the program hasn't begun to handle: the connection is at rest between two, or
// something has come since the last call, or it is new and nothing has come. A
// connection that doesn't speak HTTP/1 expects none.
func (c *conn) expectsRequest(ticks int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.sync() {
		return c.phase.Load() != answering && ticks < freshTicks
	}
	if c.dark.Load() || !c.track.Boundary() {
		return false
	}
	events := c.track.Events()
	changed := events != c.hooked
	c.hooked = events
	return changed || c.track.Rest() || events == 0 && ticks < freshTicks
}
