package reload

import (
	"math"
	"time"
)

// backoff is how long a slot stays empty after its worker has crashed: base after
// the first crash, factor times longer after each further one in a row. Its zero
// fields mean the defaults.
type backoff struct {
	base   time.Duration // after the first crash: 100 ms; negative: no delay at all
	factor float64       // 1.5; less than 1 counts as 1
	max    time.Duration // of a delay: 30 s; negative: no maximum
	reset  time.Duration // a worker that was ready for so long ends the row of crashes: 30 s; negative: at once
}

func (b backoff) withDefaults() backoff {
	setDefault(&b.base, 100*time.Millisecond)
	setDefault(&b.max, 30*time.Second)
	setDefault(&b.reset, 30*time.Second)
	if b.factor == 0 {
		b.factor = 1.5
	}
	return b
}

// delay returns how long to wait after so many crashes in a row.
func (b backoff) delay(crashes int) time.Duration {
	b = b.withDefaults()
	if crashes <= 0 || b.base <= 0 {
		return 0
	}
	limit := b.max
	if limit < 0 {
		limit = math.MaxInt64
	}
	// !(<) and not >=, for a factor that is not a number.
	d := float64(b.base) * math.Pow(math.Max(b.factor, 1), float64(crashes-1))
	if !(d < float64(limit)) {
		return limit
	}
	return time.Duration(d)
}
