package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		n      int
		within time.Duration
		i      int
		want   time.Duration
	}{
		{1, time.Second, 0, 0},
		{Burst, time.Second, Burst - 1, 0},
		{Burst + 1, time.Second, Burst, maxInterval},
		{64, time.Second, 63, 48 * maxInterval},
		{Burst + 2500, time.Second, Burst, Period / 2500},
		{10_000, time.Second, 9999, Period},
		{10_000, time.Second, 20_000, Period}, // more events than announced to Start
		{64, 24 * time.Millisecond, Burst, 500 * time.Microsecond},
		{64, 24 * time.Millisecond, 63, 24 * time.Millisecond},
		{64, 0, 63, 0},
		{64, -time.Second, 63, -time.Second}, // the grace is over already
	} {
		var l Limiter
		l.Start(c.n, c.within)
		if got := l.Delay(c.i); got.Round(10*time.Microsecond) != c.want.Round(10*time.Microsecond) {
			t.Errorf("%d events within %v: event %d is allowed after %v, want %v", c.n, c.within, c.i, got, c.want)
		}
	}
}

// The burst is allowed at once, then one event per interval, then all.
func TestAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = Burst + 4
		var l Limiter
		l.Start(n, time.Second)
		allowed := func() (k int) {
			for k < n && l.Allow() {
				k++
			}
			return k
		}
		if k := allowed(); k != Burst {
			t.Errorf("%d events allowed at once, want %d", k, Burst)
		}
		time.Sleep(3 * maxInterval)
		if k := allowed(); k != 3 {
			t.Errorf("%d events allowed after three intervals, want 3", k)
		}
		time.Sleep(Period)
		if k := allowed(); k != n {
			t.Errorf("%d events allowed after the period, want all %d", k, n)
		}
	})
}

// Allowed alone doesn't use up the budget.
func TestAllowedDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		l.Start(2*Burst, time.Second)
		for range 10 * Burst {
			if !l.Allowed() {
				t.Fatal("not allowed, though nothing was counted")
			}
		}
		for range Burst {
			l.Count()
		}
		if l.Allowed() {
			t.Error("allowed after the burst was counted")
		}
	})
}

func TestZeroValueAllowsAll(t *testing.T) {
	var l Limiter
	for i := range 10 * Burst {
		if !l.Allow() {
			t.Fatalf("event %d is not allowed", i)
		}
	}
}
