package reload

import "time"

const (
	// graceMargin is added to a worker's grace. The worker's own clock started a
	// message later, and should end first.
	graceMargin = time.Second

	// exitWait is how long the exit of a worker may follow the end of its link, or
	// SIGKILL, before another worker takes its place. The exit says why it ended.
	exitWait = time.Second

	// soon is how long a worker must have been ready, if MinUptime is less, for its end
	// not to be soon after its start. It is also the least time after which a worker that
	// isn't ready seems to hang.
	soon = time.Second

	// upgradeSoon is soon for a successor, which has to start before its workers do.
	upgradeSoon = 5 * time.Second

	// AnswerWait is how long a worker on trial may take to give a sign of life.
	AnswerWait = 5 * time.Second

	// patienceFactor is how many times longer than the slowest worker before it a new worker may take until it
	// seems to hang. Two generations start more slowly than one, and a machine is busy during a reload.
	patienceFactor = 3

	// failedStarts is how many workers in a row of one slot must die for a first start to
	// have failed that no worker has survived for MinUptime.
	failedStarts = 3
)

// WithDefaults returns p with every zero that has a default replaced by it. A
// negative duration stays negative and still means none, so the result means the
// same as p.
func (p Policy) WithDefaults() Policy {
	if p.Surge <= 0 {
		p.Surge = 1
	}
	setDefault(&p.MinUptime, time.Second)
	p.CanaryTime = positive(p.CanaryTime, time.Minute)
	p.ReadyTimeout = positive(p.ReadyTimeout, time.Minute)
	setDefault(&p.Grace, 30*time.Second)
	setDefault(&p.StopGrace, p.Grace)
	setDefault(&p.KillAfter, 5*time.Second)
	p.MaxAge = positive(p.MaxAge, NoLimit)
	setDefault(&p.MinBackoff, 100*time.Millisecond)
	p.MaxBackoff = positive(p.MaxBackoff, max(30*time.Second, p.MinBackoff))
	setDefault(&p.healed, 30*time.Second)
	return p
}

// positive returns d, or what zero or less means.
func positive(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

func setDefault(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

// Sum returns the sum of durations, of which a negative one means none. A sum with NoLimit, or
// too large for a duration, is NoLimit.
func Sum(durations ...time.Duration) (sum time.Duration) {
	for _, d := range durations {
		d = max(d, 0)
		if d > NoLimit-sum {
			return NoLimit
		}
		sum += d
	}
	return sum
}

// graceOf returns how long a drain may take that begins now.
func (p Policy) graceOf(g Goal) time.Duration {
	switch {
	case !g.Stop || g.Replaced:
		return max(p.Grace, 0)
	case g.Hurry:
		return 0
	}
	return max(p.StopGrace, 0)
}

// HoldOff is how long a worker on trial accepts no connections: three quarters of it, so that a
// worker that dies early has served nobody. In the last quarter it accepts connections beside
// its predecessor.
func (p Policy) HoldOff() time.Duration { return Sum(p.WithDefaults().MinUptime) / 4 * 3 }

// UpgradeHangsAfter returns how long a successor to this master may take, the slowest of whose workers has taken
// so long to become ready, before it seems to hang. That counts only if a reload waits for
// the upgrade.
func (p Policy) UpgradeHangsAfter(slowest time.Duration) time.Duration {
	return Sum(p.WithDefaults().MinUptime, max(upgradeSoon, patienceFactor*slowest))
}

// maxDraining returns how many workers may drain in a rota of so many slots.
func (p Policy) maxDraining(workers int) int {
	if p.MaxDraining > 0 {
		return p.MaxDraining
	}
	return max(16, 4*workers)
}

// Crowded reports whether so many workers drain that a reload has to wait, for
// [State.SetCrowded]. A reload adds one for each of the workers; where that alone is more
// than MaxDraining, it waits for all to end.
func (p Policy) Crowded(workers, draining int) bool {
	return draining > 0 && draining > p.maxDraining(workers)-workers
}

// lifetime returns how long after it became ready the worker of that id is recycled:
// MaxAge less up to a tenth. The id decides how much less, as Next is pure and can't
// use random numbers.
func (p Policy) lifetime(id int) time.Duration {
	if p.MaxAge == NoLimit {
		return NoLimit
	}
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
