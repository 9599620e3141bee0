package workerproc

import (
	"context"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

const (
	queueTick  = 5 * time.Millisecond   // how often the queues are looked at
	queueQuiet = 100 * time.Millisecond // for handshakes under way: the client's next packet
	queueLimit = time.Second            // the program doesn't accept
)

// emptyQueues lets the program accept what waits in the queues of the sockets that will be
// closed permanently: close(2) resets it. Those sockets refuse new connections. It returns when
// none has come for queueQuiet.
func (d *drain) emptyQueues(ctx context.Context, sources []source) {
	last := closedPermanently(sources)
	if len(last) == 0 {
		return
	}
	close(d.emptying)
	tick := time.NewTicker(queueTick)
	defer tick.Stop()
	begun := time.Now()
	for quiet := begun; time.Since(quiet) < queueQuiet && time.Since(begun) < queueLimit; {
		if anyWaits(last) {
			quiet = time.Now()
		}
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
