package reload

import (
	"math"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		min, max time.Duration
		crashes  int
		want     time.Duration
	}{
		{0, 0, -1, 0},
		{0, 0, 0, 0},
		{0, 0, 1, 100 * ms},
		{0, 0, 2, 150 * ms},
		{0, 0, 3, 225 * ms},
		{0, 0, 15, 29192926025},
		{0, 0, 16, 30 * time.Second},
		{0, 0, math.MaxInt, 30 * time.Second},
		{-1, 0, 9, 0},
		{time.Minute, 0, 1, time.Minute},
		{time.Minute, 0, 2, time.Minute},
		{0, time.Second, 9, time.Second},
		{0, NoLimit, math.MaxInt, NoLimit},
		{0, NoLimit, 21, 332525673007},
		{NoLimit, 0, 1, NoLimit},
	} {
		if got := (Policy{MinBackoff: c.min, MaxBackoff: c.max}).WithDefaults().backoff(c.crashes); got != c.want {
			t.Errorf("from %v to %v, after %d crashes: %d, want %d", c.min, c.max, c.crashes, got, c.want)
		}
	}
}

// No sum overflows, and none is counted for less than nothing.
func TestSum(t *testing.T) {
	for _, c := range []struct {
		all  []time.Duration
		want time.Duration
	}{
		{nil, 0},
		{[]time.Duration{-1, time.Second, math.MinInt64}, time.Second},
		{[]time.Duration{NoLimit, 1}, NoLimit},
		{[]time.Duration{1, NoLimit}, NoLimit},
		{[]time.Duration{NoLimit - 1, 1}, NoLimit},
		{[]time.Duration{NoLimit - 1, NoLimit - 1, 7}, NoLimit},
		{[]time.Duration{time.Hour, time.Minute}, time.Hour + time.Minute},
	} {
		if got := Sum(c.all...); got != c.want {
			t.Errorf("Sum(%v) = %v, want %v", c.all, got, c.want)
		}
	}
}
