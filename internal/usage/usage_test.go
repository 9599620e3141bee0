package usage

import (
	"runtime"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// counters returns Counters without a limit.
func counters() *Counters { return &Counters{Most: func() int64 { return 0 }} }

// Requests count by the class of their status, once they have ended; those that run are in flight.
func TestRequests(t *testing.T) {
	c := counters()
	for _, status := range []int{0, 101, 200, 204, 302, 404, 500, 599, 999} {
		c.BeginRequest()
		c.EndRequest(status, time.Second)
	}
	c.BeginRequest()
	want := wire.Counters{Requests: 9, Errors: 4, Classes: [5]int64{1, 2, 1, 1, 4}, InFlight: 1, Busy: 9 * time.Second}
	if got := c.Body(0, 0); got.Counters != want {
		t.Errorf("%+v, want %+v", got.Counters, want)
	}
}

// Every observer is called for each request from when it was added.
func TestObservers(t *testing.T) {
	c := counters()
	c.EndRequest(200, 1)
	var calls []int
	c.Observe(func(status int, took time.Duration) { calls = append(calls, status, int(took)) })
	c.EndRequest(404, 2)
	c.Observe(func(status int, took time.Duration) { calls = append(calls, -status, -int(took)) })
	c.EndRequest(0, 3)
	want := []int{404, 2, 0, 3, 0, -3}
	if len(calls) != len(want) {
		t.Fatalf("%v, want %v", calls, want)
	}
	for i := range want {
		if calls[i] != want[i] {
			t.Fatalf("%v, want %v", calls, want)
		}
	}
}

// Counting a request allocates nothing.
func TestAllocations(t *testing.T) {
	c := counters()
	if n := testing.AllocsPerRun(100, func() { c.BeginRequest(); c.EndRequest(200, 1) }); n != 0 {
		t.Errorf("%v allocations a request, want none", n)
	}
}

// A process says what it has cost.
func TestWork(t *testing.T) {
	before := counters().Body(0, 0).Work
	for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
		time.Sleep(100 * time.Microsecond)
	}
	if got := counters().Body(0, 0).Work; runtime.GOOS != "windows" && (got.Waits <= before.Waits || got.Processor <= before.Processor) {
		t.Errorf("%+v, and later %+v", before, got)
	}
}
