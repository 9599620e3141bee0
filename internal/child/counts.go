package child

import "github.com/rota-go/rota/status"

// Counts are what the workers of a master have counted. What a worker that has gone had counted
// stays in the sum, so that no sum falls. The master's loop owns it. The zero value is ready.
type Counts struct {
	before status.Counters         // of the workers of masters before this one
	gone   status.Counters         // of all workers that have gone
	last   map[int]status.Counters // of the others, by id: the last answers
	waits  Waits                   // for answers
}

// maxCount bounds what a worker can make of the sum.
const maxCount = 1 << 50

// Ask has done called when all these workers have answered or gone. It owns ids.
func (c *Counts) Ask(ids map[int]bool, done func()) { c.waits.Add(ids, done) }

// Answered takes a worker's counters, and returns what counts: none falls, whatever the worker says,
// except Open and InFlight.
func (c *Counts) Answered(id int, n status.Counters) status.Counters {
	if c.last == nil {
		c.last = map[int]status.Counters{}
	}
	c.last[id] = c.last[id].Grow(n.Within(maxCount))
	c.waits.Gone(id)
	return c.last[id]
}

// Gone says that a worker has ended.
func (c *Counts) Gone(id int) {
	c.gone = c.gone.Plus(c.last[id].Lasting())
	delete(c.last, id)
	c.waits.Gone(id)
}

// Of returns the last counters of a worker.
func (c *Counts) Of(id int) status.Counters { return c.last[id] }

// Connections returns how many connections a worker has open and has accepted, as it has answered last. ok is false if it
// never has.
func (c *Counts) Connections(id int) (open, accepted int, ok bool) {
	last, ok := c.last[id]
	return int(last.Open), int(last.Accepted), ok
}

// Total returns the sum of all workers that there have been.
func (c *Counts) Total() status.Counters {
	sum := c.before.Plus(c.gone)
	for _, n := range c.last {
		sum = sum.Plus(n)
	}
	return sum
}

// Restore takes what the workers of the masters before this one have counted by now.
func (c *Counts) Restore(n status.Counters) {
	c.before = c.before.Grow(n.Lasting().Within(maxCount))
}
