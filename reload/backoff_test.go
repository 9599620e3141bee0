package reload

import (
	"math"
	"testing"
	"time"
)

func TestBackoffDelay(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		b       Backoff
		crashes int
		want    time.Duration
	}{
		{Backoff{}, -1, 0},
		{Backoff{}, 0, 0},
		{Backoff{}, 1, 100 * ms},
		{Backoff{}, 2, 150 * ms},
		{Backoff{}, 3, 225 * ms},
		{Backoff{}, 15, 29192926025},
		{Backoff{}, 16, 30 * time.Second},
		{Backoff{}, math.MaxInt, 30 * time.Second},
		{Backoff{Base: -1}, 9, 0},
		{Backoff{Base: time.Minute}, 1, 30 * time.Second},
		{Backoff{Max: -1}, math.MaxInt, math.MaxInt64},
		{Backoff{Max: -1}, 21, 332525673007},
		{Backoff{Factor: 1}, 1000, 100 * ms},
		{Backoff{Factor: 0.1}, 1000, 100 * ms},
		{Backoff{Factor: -3}, 1000, 100 * ms},
		{Backoff{Factor: math.Inf(1)}, 2, 30 * time.Second},
		{Backoff{Factor: math.NaN()}, 2, 30 * time.Second},
		{Backoff{Base: 1, Factor: 2, Max: math.MaxInt64}, 63, 1 << 62},
		{Backoff{Base: 1, Factor: 2, Max: math.MaxInt64}, 64, math.MaxInt64},
	} {
		if got := c.b.Delay(c.crashes); got != c.want {
			t.Errorf("%+v after %d crashes: %d, want %d", c.b, c.crashes, got, c.want)
		}
	}
}
