// Package usage counts what a worker has served, and notices when that is as much as it may.
package usage

import (
	"sync"
	"sync/atomic"

	"github.com/rota-go/rota/internal/wire"
)

// Counters count connections and requests. Any goroutine may call the methods. The functions are set before.
type Counters struct {
	Most func() int64 // after how many requests, or connections, Worn is called; 0: never
	Worn func()       // is called once

	Taken, Moved, Cut atomic.Int64 // connections; see status.Counters

	accepted, requests, errors atomic.Int64

	byRequest atomic.Bool // requests count for Most, and not connections
	worn      sync.Once
}

// CountRequest counts an HTTP request that was answered, or was not: then it has failed.
func (c *Counters) CountRequest(failed bool) {
	if failed {
		c.errors.Add(1)
	}
	c.used(c.requests.Add(1))
}

// CountsRequests says that requests count for Most, and not connections.
func (c *Counters) CountsRequests() { c.byRequest.Store(true) }

// CountAccepted counts a connection that was accepted from the queue of a socket.
func (c *Counters) CountAccepted() {
	if n := c.accepted.Add(1); !c.byRequest.Load() {
		c.used(n)
	}
}

func (c *Counters) used(n int64) {
	if most := c.Most(); most > 0 && n >= most {
		c.worn.Do(c.Worn)
	}
}

// Body returns what was counted. open and announced are numbers of connections that the caller knows.
func (c *Counters) Body(open int, announced int64) wire.CountedBody {
	return wire.CountedBody{
		Accepted: c.accepted.Load(), Taken: c.Taken.Load(), Open: int64(open), Moved: c.Moved.Load(),
		Announced: announced, Cut: c.Cut.Load(), Requests: c.requests.Load(), Errors: c.errors.Load(),
	}
}
