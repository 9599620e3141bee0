package conn

// A List is a list of connections that are linked by their own fields. Its owner
// guards it with a mutex. A connection may be in one List at a time.
type List struct {
	first *Tracked
	n     int
}

// Len returns the number of connections in the list.
func (l *List) Len() int { return l.n }

// Add puts c first in the list.
func (l *List) Add(c *Tracked) {
	c.next = l.first
	if l.first != nil {
		l.first.prev = c
	}
	l.first = c
	l.n++
}

// Remove takes c, which must be in the list, out of it.
func (l *List) Remove(c *Tracked) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
}

// All returns the connections in the list.
func (l *List) All() []*Tracked {
	all := make([]*Tracked, 0, l.n)
	for c := l.first; c != nil; c = c.next {
		all = append(all, c)
	}
	return all
}
