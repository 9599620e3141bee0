package main

import (
	"container/list"
	"encoding/json"
	"io"
	"sync"
)

// lru is a cache that forgets what was not asked for the longest time.
type lru struct {
	size int

	mu    sync.Mutex
	order *list.List // of entry, the latest first
	by    map[string]*list.Element
}

type entry struct{ Key, Value string }

func newLRU(size int) *lru {
	return &lru{size: size, order: list.New(), by: map[string]*list.Element{}}
}

func (c *lru) get(key string) (value string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.by[key]
	if !ok {
		return "", false
	}
	c.order.MoveToFront(e)
	return e.Value.(entry).Value, true
}

func (c *lru) put(key, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.by[key]; ok {
		c.order.Remove(e)
	}
	c.by[key] = c.order.PushFront(entry{key, value})
	for c.order.Len() > c.size {
		delete(c.by, c.order.Remove(c.order.Back()).(entry).Key)
	}
}

// write writes all entries, the oldest first, so that put of each makes the same order. It doesn't hold
// requests up for longer than it takes to copy the list.
func (c *lru) write(to io.Writer) error {
	c.mu.Lock()
	all := make([]entry, 0, c.order.Len())
	for e := c.order.Back(); e != nil; e = e.Prev() {
		all = append(all, e.Value.(entry))
	}
	c.mu.Unlock()
	enc := json.NewEncoder(to)
	for _, e := range all {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return nil
}
