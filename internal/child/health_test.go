package child

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// checks is a Health whose timer the test fires, and what it has done.
type checks struct {
	Health
	next     func() // the timer
	sent     []uint32
	failures []string
	stopped  bool
}

func newChecks() *checks {
	c := &checks{}
	c.Health = Health{
		Interval: time.Second,
		After: func(_ time.Duration, f func()) func() {
			c.next = f
			return func() { c.stopped = true }
		},
		Serves: func() bool { return !c.stopped },
		Send:   func(number uint32, _ time.Duration) { c.sent = append(c.sent, number) },
		Failed: func(err error, times int) { c.failures = append(c.failures, fmt.Sprint(err, " ", times)) },
	}
	return c
}

// A check that is not answered before the next has failed; a late answer doesn't count.
func TestHealth(t *testing.T) {
	c := newChecks()
	c.Start()
	c.next()
	c.next()
	c.Answered(1, "") // late
	c.Answered(3, "")
	c.Answered(3, "again")
	c.next()
	c.Answered(4, "no database")
	if want := []uint32{1, 2, 3, 4}; !slices.Equal(c.sent, want) {
		t.Errorf("checks %v, want %v", c.sent, want)
	}
	if want := []string{"no answer 1", "no answer 2", "no database 1"}; !slices.Equal(c.failures, want) {
		t.Errorf("failures %q, want %q", c.failures, want)
	}
}

// Nothing is sent to a worker that has been stopped, or that has no interval.
func TestHealthEnds(t *testing.T) {
	c := newChecks()
	c.Start()
	c.Stop()
	c.next()
	never := newChecks()
	never.Interval = 0
	never.Start()
	if !c.stopped || len(c.sent) != 1 || len(never.sent) > 0 {
		t.Errorf("timer stopped: %v; checks %v and %v, want one and none", c.stopped, c.sent, never.sent)
	}
	var none *Health
	none.Answered(1, "")
	none.Stop()
}

// What a program has asked for is decided at once, and not changed by what happens later.
func TestPublished(t *testing.T) {
	var p Published[string]
	p.Publish(Snapshot[string]{State: "online", Connected: true})
	p.Decide(Voluntary)
	p.Decide(Involuntary)
	p.Publish(Snapshot[string]{State: "dead"})
	if now := p.Now(); now.State != "dead" || now.Connected || now.Voluntary != Voluntary {
		t.Errorf("%+v", now)
	}
}

// A process that has not been started can be used, and does nothing.
func TestNilProcess(t *testing.T) {
	var p *Process
	p.Send(1, 0, nil)
	p.CloseLink()
	if err := p.Signal(nil); err != nil || p.PID() != 0 {
		t.Errorf("%v, pid %d", err, p.PID())
	}
}

// Limits are spread by the worker's id.
func TestLimitsAreSpread(t *testing.T) {
	seen := map[int64]bool{}
	for id := range 100 {
		limit := Spread(1000_000, id)
		if limit < 900_000 || limit > 1000_000 {
			t.Errorf("worker %d: limit %d", id, limit)
		}
		seen[limit] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 workers have %d different limits, want at least 90", len(seen))
	}
	if Spread(1<<60, 3) <= 0 {
		t.Error("the limit of a large MaxMemory overflows")
	}
}
