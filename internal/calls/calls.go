// Package calls holds the calls of one end of a link that wait for the other end's answer.
package calls

import (
	"sync"

	"github.com/rota-go/rota/internal/link"
)

// Calls are the calls that wait. The zero value has none.
type Calls struct {
	mu      sync.Mutex
	last    uint32
	waiting map[uint32]chan<- link.Packet
}

// Open makes a call, and returns its id and the channel for the answer.
func (c *Calls) Open() (uint32, <-chan link.Packet) {
	answer := make(chan link.Packet, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = make(map[uint32]chan<- link.Packet)
	}
	c.last++
	c.waiting[c.last] = answer
	return c.last, answer
}

// Last returns the id of the latest call; 0: there was none.
func (c *Calls) Last() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Cancel removes a call. It reports whether the answer has not come yet; if it has, it is
// in the channel.
func (c *Calls) Cancel(id uint32) (unanswered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, unanswered = c.waiting[id]
	delete(c.waiting, id)
	return unanswered
}

// Answer delivers p to its call, and reports whether the call still waits.
func (c *Calls) Answer(p link.Packet) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.waiting[p.Call]
	if ok {
		answer <- p // never blocks: an id is answered once
		delete(c.waiting, p.Call)
	}
	return ok
}
