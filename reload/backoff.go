package reload

import (
	"math"
	"time"
)

// Backoff says how long a slot stays empty after its worker has crashed: Base
// after the first crash, Factor times longer after each further one in a row.
type Backoff struct {
	// Base is the delay after the first crash. Zero means 100 ms, negative none:
	// every respawn is immediate.
	Base time.Duration

	// Factor is by how much each delay exceeds the one before. Zero means 1.5;
	// less than 1 counts as 1, which makes all delays Base.
	Factor float64

	// Max bounds the delay. Zero means 30 s, negative no bound.
	Max time.Duration

	// Reset is how long a worker must have been ready for the crashes before it to
	// be forgotten. Zero means 30 s, negative none: to have been ready is enough.
	Reset time.Duration
}

// WithDefaults returns b with every zero replaced by its default, see
// [Policy.WithDefaults].
func (b Backoff) WithDefaults() Backoff {
	orElse(&b.Base, 100*time.Millisecond)
	orElse(&b.Max, 30*time.Second)
	orElse(&b.Reset, 30*time.Second)
	if b.Factor == 0 {
		b.Factor = 1.5
	}
	return b
}

// Delay is how long to wait after so many crashes in a row: none after none.
func (b Backoff) Delay(crashes int) time.Duration {
	b = b.WithDefaults()
	if crashes <= 0 || b.Base <= 0 {
		return 0
	}
	bound := b.Max
	if bound < 0 {
		bound = math.MaxInt64
	}
	// !(<) and not >=, for a Factor that is not a number.
	d := float64(b.Base) * math.Pow(math.Max(b.Factor, 1), float64(crashes-1))
	if !(d < float64(bound)) {
		return bound
	}
	return time.Duration(d)
}
