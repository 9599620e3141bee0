package reload

import (
	"math"
	"time"
)

// backoffFactor is how many times longer than before a slot stays empty after a further crash.
const backoffFactor = 1.5

// Backoff is a slot that is empty because its last worker has crashed, or has left too soon.
type Backoff struct {
	Slot, Generation int       // of the next worker
	Crashes          int       // in a row, at least 1
	Until            time.Time // when that is started
}

// Backoffs returns the slots that were empty for this reason at the latest Next.
func (r *Rota) Backoffs() (all []Backoff) {
	for n := range r.facts[timed].all {
		if b := r.verdicts[n].back; b.Crashes > 0 {
			all = append(all, b)
		}
	}
	return all
}

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
