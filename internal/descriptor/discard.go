package descriptor

import (
	"slices"
	"sync"
)

// MaxDiscarded is how many descriptors wait to be closed by a Discarder when Room begins to
// wait.
const MaxDiscarded = 256

// Discarder closes descriptors that another process has sent, on a goroutine of its own, one
// after the other: close(2) of a file that a stranger has opened may block, as that of a
// socket with SO_LINGER, or of a file whose file system doesn't answer. While nothing waits
// there is no goroutine. The zero value is ready. On nil, Discard closes at once.
type Discarder struct {
	mu      sync.Mutex
	queue   []*FD
	running bool          // there is a goroutine
	room    chan struct{} // closed when few wait again; nil if nobody waits for that
	closing func(*FD)     // for tests: called before each close; nil calls nothing
}

// Discard closes fds, now or later. It never blocks. It owns fds.
func (d *Discarder) Discard(fds []*FD) {
	if d == nil {
		CloseAll(fds)
		return
	}
	fds = closeQuick(fds)
	if len(fds) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, fds...)
	if !d.running {
		d.running = true
		go d.run()
	}
}

// closeQuick closes those of fds whose Close doesn't block, and returns the others.
func closeQuick(fds []*FD) []*FD {
	return slices.DeleteFunc(fds, func(fd *FD) bool {
		quick := fd.quick.Load()
		if quick {
			_ = fd.Close() // nothing was written to it
		}
		return quick
	})
}

func (d *Discarder) run() {
	for fd := d.next(); fd != nil; fd = d.next() {
		if d.closing != nil {
			d.closing(fd)
		}
		_ = fd.Close() // nothing was written to it
	}
}

// next takes a descriptor from the queue. With nil nothing waits, and nobody closes any more.
func (d *Discarder) next() (fd *FD) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room != nil && len(d.queue) <= MaxDiscarded/2 {
		close(d.room)
		d.room = nil
	}
	if len(d.queue) == 0 {
		d.queue, d.running = nil, false
		return nil
	}
	fd, d.queue[0] = d.queue[0], nil
	d.queue = d.queue[1:]
	return fd
}

// Room waits until few descriptors wait to be closed, or until done is closed. Who receives
// descriptors calls it first: a sender can't have more of them wait than about MaxDiscarded.
func (d *Discarder) Room(done <-chan struct{}) {
	if room := d.full(); room != nil {
		select {
		case <-room:
		case <-done:
		}
	}
}

// full returns a channel that is closed when few descriptors wait; nil if few do now.
func (d *Discarder) full() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) < MaxDiscarded {
		return nil
	}
	if d.room == nil {
		d.room = make(chan struct{})
	}
	return d.room
}
