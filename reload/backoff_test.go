package reload

import (
	"math"
	"testing"
	"time"
)

func TestBackoffDelay(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		b       backoff
		crashes int
		want    time.Duration
	}{
		{backoff{}, -1, 0},
		{backoff{}, 0, 0},
		{backoff{}, 1, 100 * ms},
		{backoff{}, 2, 150 * ms},
		{backoff{}, 3, 225 * ms},
		{backoff{}, 15, 29192926025},
		{backoff{}, 16, 30 * time.Second},
		{backoff{}, math.MaxInt, 30 * time.Second},
		{backoff{base: -1}, 9, 0},
		{backoff{base: time.Minute}, 1, 30 * time.Second},
		{backoff{max: -1}, math.MaxInt, math.MaxInt64},
		{backoff{max: -1}, 21, 332525673007},
		{backoff{factor: 1}, 1000, 100 * ms},
		{backoff{factor: 0.1}, 1000, 100 * ms},
		{backoff{factor: -3}, 1000, 100 * ms},
		{backoff{factor: math.Inf(1)}, 2, 30 * time.Second},
		{backoff{factor: math.NaN()}, 2, 30 * time.Second},
		{backoff{base: 1, factor: 2, max: math.MaxInt64}, 63, 1 << 62},
		{backoff{base: 1, factor: 2, max: math.MaxInt64}, 64, math.MaxInt64},
	} {
		if got := c.b.delay(c.crashes); got != c.want {
			t.Errorf("%+v after %d crashes: %d, want %d", c.b, c.crashes, got, c.want)
		}
	}
}
