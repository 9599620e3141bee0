package reload

import (
	"math"
	"time"
)

// backoffFactor is how many times longer than before a slot stays empty after a further crash.
const backoffFactor = 1.5

// backoff returns how long to wait after so many crashes in a row. p has its defaults.
func (p Policy) backoff(crashes int) time.Duration {
	if crashes <= 0 || p.MinBackoff <= 0 {
		return 0
	}
	d := float64(p.MinBackoff) * math.Pow(backoffFactor, float64(crashes-1))
	if d < float64(p.MaxBackoff) {
		return time.Duration(d)
	}
	return p.MaxBackoff
}
