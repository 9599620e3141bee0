package workerproc

// conns is a list of connections that are linked by their own fields.
type conns struct {
	first *conn
	n     int
}

func (l *conns) add(c *conn) {
	c.next = l.first
	if l.first != nil {
		l.first.prev = c
	}
	l.first = c
	l.n++
}

func (l *conns) remove(c *conn) {
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

func (l *conns) list() []*conn {
	all := make([]*conn, 0, l.n)
	for c := l.first; c != nil; c = c.next {
		all = append(all, c)
	}
	return all
}
