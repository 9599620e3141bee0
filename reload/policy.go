package reload

import "time"

const (
	// graceMargin is added to a worker's grace. The worker's own clock started a
	// message later, and should end first.
	graceMargin = time.Second

	// exitWait is how long the exit of a worker may follow the end of its link, or
	// SIGKILL, before another worker takes its place. The exit says why it ended.
	exitWait = time.Second
)

// WithDefaults returns p with every zero that has a default replaced by it. A
// negative duration stays negative and still means none, so the result means the
// same as p.
func (p Policy) WithDefaults() Policy {
	if p.Surge <= 0 {
		p.Surge = 1
	}
	setDefault(&p.MinUptime, time.Second)
	setDefault(&p.ReadyTimeout, time.Minute)
	setDefault(&p.Grace, 30*time.Second)
	setDefault(&p.KillAfter, 5*time.Second)
	p.backoff = p.backoff.withDefaults()
	return p
}

func setDefault(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

// nonNegative returns a duration of which negative means none.
func nonNegative(d time.Duration) time.Duration { return max(d, 0) }

// lifetime returns how long after it became ready the worker of that id is recycled:
// MaxAge less up to a tenth. The id decides how much less, as Next is pure and can't
// use random numbers.
func (p Policy) lifetime(id int) time.Duration {
	tenth := uint64(p.MaxAge / 10)
	return p.MaxAge - time.Duration(mix(uint64(id))%(tenth+1))
}

// mix is the finalizer of splitmix64: neighbouring ids give numbers far apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
