package master

import "time"

const (
	// attention is how long one event function may take before who waits for the
	// functions goes on without them, and hearing how long all of them may.
	attention = 100 * time.Millisecond
	hearing   = time.Second
)

// told has f called by the loop when the event functions have heard what was emitted
// so far: a program that learns of an end has had the event of it. It doesn't wait for
// ever: a function may itself be waiting for what f does.
func (l *loop) told(f func()) {
	heard := l.m.events.heard()
	if heard == nil {
		f()
		return
	}
	l.work(func() func() {
		l.m.events.await(heard)
		return f
	})
}

// heard returns a channel that is closed when what is queued has been called, or nil
// if nothing is.
func (e *events) heard() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.busy && len(e.queue) == 0 {
		return nil
	}
	mark := event{heard: make(chan struct{})}
	e.queue = append(e.queue, mark)
	e.start()
	return mark.heard
}

// await waits for heard, as long as the functions come forward.
func (e *events) await(heard <-chan struct{}) {
	tick := time.NewTicker(attention)
	defer tick.Stop()
	for range hearing / attention {
		calls := e.calls.Load()
		select {
		case <-heard:
			return
		case <-tick.C:
			if e.calls.Load() == calls {
				return
			}
		}
	}
}
