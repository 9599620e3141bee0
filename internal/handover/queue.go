package handover

import (
	"net"
	"sync"
	"sync/atomic"
)

// Queue is the connections that another worker has moved to this one, and that the
// program has not accepted yet. They are connections of the drain.
type Queue struct {
	some    atomic.Bool   // conns is not empty
	arrived chan struct{} // capacity 1: one was added

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

// Add adds a connection, and reports whether none waited before. If the queue is closed, it
// closes it.
func (q *Queue) Add(c net.Conn) (first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		_ = c.Close() // as the kernel does with what waits at a listener that is closed
		return false
	}
	first = len(q.conns) == 0
	q.conns = append(q.conns, c)
	q.some.Store(true)
	select {
	case q.arrived <- struct{}{}:
	default:
	}
	return first
}

// Next returns the next connection, or nil.
func (q *Queue) Next() (c net.Conn) {
	if !q.some.Load() {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.conns) > 0 {
		c, q.conns[0] = q.conns[0], nil
		q.conns = q.conns[1:]
	}
	q.some.Store(len(q.conns) > 0)
	return c
}

// Close closes the connections, and those that are added later.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	for c := q.Next(); c != nil; c = q.Next() {
		_ = c.Close() // nothing was written to it
	}
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{arrived: make(chan struct{}, 1)} }

// Waiting reports whether a connection waits.
func (q *Queue) Waiting() bool { return q.some.Load() }

// Arrived returns a channel that gets a value when connections are added.
func (q *Queue) Arrived() <-chan struct{} { return q.arrived }
