package status

import "time"

// Tally is how often something has happened since the service was started, over upgrades of its master.
type Tally struct {
	Kind  Kind   `json:"kind"`           // Reload, Upgrade, Crash, Restart
	Slot  int    `json:"slot,omitempty"` // Crash, Restart: of the worker
	Why   string `json:"why"`            // Reload, Upgrade: "done", "failed". Restart: "restart", "memory", "requests", "age", "health". Crash: "crash"
	Times int64  `json:"times"`
}

// Counters are what a worker has counted of the connections of rota.Listen's listeners and of the requests of
// package rotahttp, or the sum of several workers.
type Counters struct {
	Accepted  int64 `json:"accepted"`  // from the sockets' queues
	Taken     int64 `json:"taken"`     // that have moved here from another worker
	Open      int64 `json:"open"`      // now
	Moved     int64 `json:"moved"`     // to another worker
	Announced int64 `json:"announced"` // that got Connection: close, or a GOAWAY, in a drain
	Cut       int64 `json:"cut"`       // closed at the end of the grace
	Requests  int64 `json:"requests"`  // of HTTP that package rotahttp has served; a handler has returned
	Errors    int64 `json:"errors"`    // of these, answered with a status of 500 or more, or not at all because the handler panicked

	Classes  [5]int64      `json:"classes"`  // the same requests by the first digit of their status, from 1xx to 5xx; 1xx has 101, of connections that a handler took
	InFlight int64         `json:"inFlight"` // requests whose handler runs now
	Busy     time.Duration `json:"busy"`     // ns: how long the handlers of all requests took together
}

// Plus returns the sum.
func (c Counters) Plus(d Counters) Counters {
	return c.each(d, func(a, b int64) int64 {
		if n := a + b; n >= a {
			return n
		}
		return 1<<63 - 1 // they aren't negative
	})
}

// Lasting returns c without what is only there now: Open and InFlight.
func (c Counters) Lasting() Counters {
	c.Open, c.InFlight = 0, 0
	return c
}

// Grow returns d, with what is larger in c, except Open and InFlight.
func (c Counters) Grow(d Counters) Counters {
	n := c.each(d, func(a, b int64) int64 { return max(a, b) })
	n.Open, n.InFlight = d.Open, d.InFlight
	return n
}

// Within returns c with every value between 0 and most, and Busy at least 0.
func (c Counters) Within(most int64) Counters {
	n := c.each(c, func(a, _ int64) int64 { return min(max(a, 0), most) })
	n.Busy = max(c.Busy, 0)
	return n
}

func (c Counters) each(d Counters, f func(a, b int64) int64) Counters {
	n := Counters{
		Accepted: f(c.Accepted, d.Accepted), Taken: f(c.Taken, d.Taken), Open: f(c.Open, d.Open),
		Moved: f(c.Moved, d.Moved), Announced: f(c.Announced, d.Announced), Cut: f(c.Cut, d.Cut),
		Requests: f(c.Requests, d.Requests), Errors: f(c.Errors, d.Errors),
		InFlight: f(c.InFlight, d.InFlight), Busy: time.Duration(f(int64(c.Busy), int64(d.Busy))),
	}
	for i := range n.Classes {
		n.Classes[i] = f(c.Classes[i], d.Classes[i])
	}
	return n
}
