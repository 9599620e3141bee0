// Package usage counts what a worker has served, and notices when that is as much as it may.
package usage

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// Observer is called with the status of each request that has ended, 0 if it has none, and how long that took.
type Observer func(status int, took time.Duration)

// Counters count connections and requests. Any goroutine may call the methods. The functions are set before.
type Counters struct {
	Most func() int64 // after how many requests, or connections, Worn is called; 0: never
	Worn func()       // is called once

	Taken, Moved, Cut atomic.Int64 // connections; see status.Counters

	accepted atomic.Int64

	begun    atomic.Int64    // requests
	classes  [5]atomic.Int64 // requests that have ended, by the first digit of their status
	busy     atomic.Int64    // ns, of these
	observer atomic.Pointer[Observer]

	byRequest atomic.Bool // requests count for Most, and not connections
	worn      sync.Once
}

// BeginRequest counts an HTTP request whose handler is about to be called.
func (c *Counters) BeginRequest() { c.begun.Add(1) }

// EndRequest counts a request that BeginRequest has counted, whose handler has returned or panicked. status is 0 if the
// handler has panicked before it has answered, and counts as one of 5xx then.
func (c *Counters) EndRequest(status int, took time.Duration) {
	c.busy.Add(int64(took))
	c.classes[classOf(status)].Add(1)
	if f := c.observer.Load(); f != nil {
		(*f)(status, took)
	}
	if c.Most() > 0 {
		c.used(sum(c.ended()))
	}
}

// classOf returns the index of a status in Counters.classes. The package net/http takes 100 to 999.
func classOf(status int) int {
	if status < 100 || status > 599 {
		return 4
	}
	return status/100 - 1
}

// ended returns how many requests have ended, by class.
func (c *Counters) ended() (n [5]int64) {
	for i := range n {
		n[i] = c.classes[i].Load()
	}
	return n
}

func sum(all [5]int64) (n int64) {
	for _, v := range all {
		n += v
	}
	return n
}

// Observe has f called with each request from now on, besides those that were added before. Any goroutine may call it.
func (c *Counters) Observe(f Observer) {
	for {
		before, all := c.observer.Load(), f
		if before != nil {
			all = func(status int, took time.Duration) { (*before)(status, took); f(status, took) }
		}
		if c.observer.CompareAndSwap(before, &all) {
			return
		}
	}
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

// Body returns what was counted, and what this process has cost. open and announced are numbers of
// connections that the caller knows.
func (c *Counters) Body(open int, announced int64) wire.CountedBody {
	return wire.CountedBody{Counters: c.values(open, announced), Work: work()}
}

func (c *Counters) values(open int, announced int64) wire.Counters {
	classes := c.ended() // before those that have begun: none of them is in flight
	return wire.Counters{
		Accepted: c.accepted.Load(), Taken: c.Taken.Load(), Open: int64(open), Moved: c.Moved.Load(),
		Announced: announced, Cut: c.Cut.Load(), Requests: sum(classes), Errors: classes[4],
		Classes: classes, InFlight: c.begun.Load() - sum(classes), Busy: time.Duration(c.busy.Load()),
	}
}
