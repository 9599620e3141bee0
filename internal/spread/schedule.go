package spread

import "time"

const (
	// quick and slow are how often workers are asked what they have: while that changes, and otherwise.
	quick, slow = 5 * Tick, time.Second
)

// Step is what is to be done at a look.
type Step int

// The steps. After Ask comes Decide, a Tick later at the earliest.
const (
	Nothing Step = iota
	Ask          // the workers are to be asked what they have
	Decide       // their answers are to be used
)

// schedule is when that is.
type schedule struct {
	due   time.Time // of the next round
	asked bool
}

// Step returns what is to be done now.
func (s *schedule) Step(now time.Time) Step {
	switch {
	case now.Before(s.due):
		return Nothing
	case s.asked:
		s.asked = false
		return Decide
	}
	s.asked, s.due = true, now.Add(Tick/2) // not at this look
	return Ask
}
