package main

import (
	"maps"
	"sync"
	"time"
)

// buckets allow each client a burst of requests, and then some a second.
type buckets struct {
	burst, perSecond float64

	mu sync.Mutex
	by map[string]bucket
}

// bucket is what a client has left, at a time.
type bucket struct {
	Left float64
	At   time.Time
}

func newBuckets(burst, perSecond float64) *buckets {
	return &buckets{burst: burst, perSecond: perSecond, by: map[string]bucket{}}
}

// take reports whether a client may make one more request.
func (b *buckets) take(client string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.by[client]
	if !ok {
		c = bucket{b.burst, now}
	}
	c.Left = min(b.burst, c.Left+now.Sub(c.At).Seconds()*b.perSecond)
	c.At = now
	allowed := c.Left >= 1
	if allowed {
		c.Left--
	}
	b.by[client] = c
	return allowed
}

// all returns a copy. set sets what all has returned in another process.
func (b *buckets) all() map[string]bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.by)
}

func (b *buckets) set(by map[string]bucket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(b.by, by)
}
