package rotaquic

import (
	"sync"
	"time"
)

// deadline is the time at which reads end. The zero value is none.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	ended chan struct{} // closed at the deadline
}

// over returns a channel that is closed at the deadline. A deadline that is set again has another one.
func (d *deadline) over() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.channel()
}

func (d *deadline) channel() chan struct{} {
	if d.ended == nil {
		d.ended = make(chan struct{})
	}
	return d.ended
}

// set changes the deadline; zero is none. Reads that wait with none, or a later one, end at t too.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		d.ended = nil // it is closed, or will be
	}
	d.timer = nil
	if t.IsZero() {
		return
	}
	ended := d.channel()
	d.timer = time.AfterFunc(time.Until(t), func() { close(ended) })
}
