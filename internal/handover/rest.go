package handover

import "time"

// Until is when a program stops waiting that waits for so long, as Item.Rest has it; zero: it has no limit.
func Until(rest time.Duration) time.Time {
	if rest <= 0 {
		return time.Time{}
	}
	return time.Now().Add(rest)
}

// Left is the reverse of Until. A time that is over comes back as one that is over at once.
func Left(until time.Time) time.Duration {
	if until.IsZero() {
		return 0
	}
	return max(time.Until(until), time.Millisecond)
}
