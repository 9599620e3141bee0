package workerproc

import (
	"context"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/quiet"
)

// emptyQueues lets the program accept what waits in the queues of the sockets that will be
// closed permanently: close(2) resets it. Those sockets refuse new connections. It returns right after
// a look at which nobody waits, and none has waited at those before.
func (d *drain) emptyQueues(ctx context.Context, sources []source) {
	last := closedPermanently(sources)
	if len(last) == 0 {
		return
	}
	close(d.emptying)
	quiet.Wait(ctx, func() bool { return anyWaits(last) })
}

// closedPermanently returns the listeners whose sockets are closed with this worker: the master
// has closed them, or the socket is this worker's own.
func closedPermanently(sources []source) (last []*listener) {
	for _, s := range sources {
		l := baseOf(s)
		if l == nil || l.isClosed() {
			continue
		}
		if l.exclusive {
			descriptor.Ask(l.Listener, func(fd int) bool { return descriptor.Refuse(fd) == nil })
		}
		if descriptor.Ask(l.Listener, descriptor.Refuses) {
			last = append(last, l)
		}
	}
	return last
}

// anyWaits reports whether somebody waits in a queue, which the program is to accept.
func anyWaits(all []*listener) (waits bool) {
	for _, l := range all {
		if !l.isClosed() && descriptor.Ask(l.Listener, descriptor.Waiting) {
			l.look() // the worker that the kernel has woken for it may be gone
			waits = true
		}
	}
	return waits
}

func (l *listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}
