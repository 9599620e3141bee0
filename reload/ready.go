package reload

import "time"

// quiet is how long after its latest first Accept a worker is believed to want
// no more addresses.
const quiet = time.Second

// IsReady says whether a worker that does not say so itself is ready. Served are
// the addresses its predecessor accepted on, and accepted when this worker first
// called Accept on each of its own. It is ready when it accepts on everything
// served; without a predecessor, at its first Accept of anything. A new version
// may have dropped an address: it is ready a second after its latest first
// Accept, and wake says when that is if nothing else happens. A worker that has
// accepted on nothing is not ready.
func (p Policy) IsReady(served []string, accepted map[string]time.Time, now time.Time) (ready bool, wake time.Time) {
	if len(accepted) == 0 {
		return false, time.Time{}
	}
	if acceptsAll(served, accepted) {
		return true, time.Time{}
	}
	var latest time.Time
	for _, t := range accepted {
		if t.After(latest) {
			latest = t
		}
	}
	if wake = latest.Add(quiet); wake.After(now) {
		return false, wake
	}
	return true, time.Time{}
}

func acceptsAll(served []string, accepted map[string]time.Time) bool {
	for _, address := range served {
		if _, ok := accepted[address]; !ok {
			return false
		}
	}
	return true
}
