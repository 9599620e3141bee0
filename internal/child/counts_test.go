package child

import (
	"math"
	"testing"
	"time"

	"github.com/rota-go/rota/status"
)

// No sum falls, when workers leave, and whatever they say.
func TestCounts(t *testing.T) {
	var c Counts
	done := 0
	c.Ask(map[int]bool{1: true, 2: true}, func() { done++ })
	c.Answered(1, status.Counters{Accepted: 10, Open: 3, Moved: 2})
	if done != 0 {
		t.Error("done before the second has answered")
	}
	if open, accepted, ok := c.Connections(1); open != 3 || accepted != 10 || !ok {
		t.Errorf("the first has %d open of %d (%v), want 3 of 10", open, accepted, ok)
	}
	if _, _, ok := c.Connections(2); ok {
		t.Error("known before the second has answered")
	}
	c.Answered(2, status.Counters{Accepted: 5, Open: 1, Cut: 1})
	if want := (status.Counters{Accepted: 15, Open: 4, Moved: 2, Cut: 1}); done != 1 || c.Total() != want || c.Of(1).Open != 3 {
		t.Errorf("%+v, want %+v", c.Total(), want)
	}
	c.Ask(map[int]bool{1: true}, func() { done++ })
	c.Gone(1)
	c.Answered(2, status.Counters{Accepted: 4}) // a worker that counts down
	if want := (status.Counters{Accepted: 15, Moved: 2, Cut: 1}); done != 2 || c.Total() != want {
		t.Errorf("%+v, want %+v", c.Total(), want)
	}
	for id := range 100 {
		c.Answered(id, status.Counters{Accepted: math.MaxInt64, Open: math.MinInt64})
	}
	if got := c.Total(); got.Accepted < 15 || got.Open < 0 {
		t.Errorf("a worker that lies makes the sum %+v", got)
	}
	var next Counts
	next.Restore(status.Counters{Accepted: 6, Open: 2})
	next.Restore(status.Counters{Accepted: 7, Open: 2}) // later
	if want := (status.Counters{Accepted: 7}); next.Total() != want {
		t.Errorf("%+v", next.Total())
	}
}

// Requests by class and their time add up over workers, and those in flight are of the workers that there are.
func TestCountsOfRequests(t *testing.T) {
	var c Counts
	c.Answered(1, status.Counters{Requests: 3, Classes: [5]int64{0, 2, 0, 1}, InFlight: 4, Busy: time.Hour})
	c.Answered(2, status.Counters{Requests: 1, Classes: [5]int64{0, 0, 0, 0, 1}, InFlight: 2, Busy: math.MaxInt64})
	c.Gone(1)
	c.Answered(2, status.Counters{InFlight: 1}) // a worker that counts down
	want := status.Counters{Requests: 4, Classes: [5]int64{0, 2, 0, 1, 1}, InFlight: 1, Busy: math.MaxInt64}
	if c.Total() != want {
		t.Errorf("%+v, want %+v", c.Total(), want)
	}
	var next Counts
	next.Restore(c.Total())
	if want.InFlight = 0; next.Total() != want {
		t.Errorf("after an upgrade %+v, want %+v", next.Total(), want)
	}
}
