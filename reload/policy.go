package reload

import "time"

const (
	// graceLag is what a worker's grace gets on top here, so that its own clock,
	// which started a message later, ends first.
	graceLag = time.Second

	// exitLag is how long the exit of a worker may follow the end of its link, or
	// SIGKILL, before its place is given away without it. The two are the same
	// event seen twice, and the exit is the one that says why.
	exitLag = time.Second
)

// WithDefaults returns p with every zero that has a default replaced by it. A
// negative duration stays negative and still means none, so the result is a
// Policy that means the same as p, here and when it is filled in again.
func (p Policy) WithDefaults() Policy {
	if p.Surge <= 0 {
		p.Surge = 1
	}
	orElse(&p.MinUptime, time.Second)
	orElse(&p.ReadyTimeout, time.Minute)
	orElse(&p.Grace, 30*time.Second)
	orElse(&p.KillAfter, 5*time.Second)
	p.Backoff = p.Backoff.WithDefaults()
	return p
}

func orElse(d *time.Duration, byDefault time.Duration) {
	if *d == 0 {
		*d = byDefault
	}
}

// span is a duration of which negative means none.
func span(d time.Duration) time.Duration { return max(d, 0) }

// lifetime is how long after its ready the worker of that id is recycled: MaxAge
// less up to a tenth, spread by the id because a pure function has no dice.
func (p Policy) lifetime(id int) time.Duration {
	tenth := uint64(p.MaxAge / 10)
	return p.MaxAge - time.Duration(mix(uint64(id))%(tenth+1))
}

// mix is the finalizer of splitmix64: neighbouring ids come out far apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
