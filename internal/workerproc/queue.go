package workerproc

import (
	"context"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

const (
	queueTick  = 5 * time.Millisecond // how often the queues are looked at
	queueQuiet = 20                   // looks in a row at which nobody waits, for handshakes under way: the client's next packet
	queueLimit = 200                  // looks: the program doesn't accept
)

// looks counts looks at the queues. It is not the time that counts: on a busy machine the process may not run for
// longer than that, and those whose handshakes end meanwhile would be reset.
type looks struct{ all, quiet int }

// another counts one more look, at which somebody waits or nobody does, and reports whether it is the last.
func (l *looks) another(waits bool) (last bool) {
	l.all++
	l.quiet++
	if waits {
		l.quiet = 0
	}
	return l.quiet > queueQuiet || l.all > queueLimit
}

// emptyQueues lets the program accept what waits in the queues of the sockets that will be
// closed permanently: close(2) resets it. Those sockets refuse new connections. It returns right after
// a look at which nobody waits, and none has waited at those before.
func (d *drain) emptyQueues(ctx context.Context, sources []source) {
	last := closedPermanently(sources)
	if len(last) == 0 {
		return
	}
	close(d.emptying)
	tick := time.NewTicker(queueTick)
	defer tick.Stop()
	for l := (looks{}); !l.another(anyWaits(last)); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
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
			l.wake() // the worker that the kernel has woken for it may be gone
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
