package reload

import "errors"

var (
	// ErrUnwell means that a new worker has failed its health checks before the reload was over.
	ErrUnwell = errors.New("not well, by its health checks")
	// ErrAborted means that somebody has asked for the end of the reload ([Goal.Aborted]).
	ErrAborted = errors.New("aborted")
)

// canaries returns how many slots are tried for Policy.CanaryTime before the others are replaced.
// They are the lowest.
func (d *decision) canaries() int {
	if !d.rollingOut || d.goal.Promoted {
		return 0
	}
	return min(max(d.policy.Canary, 0), d.goal.Workers)
}

// trySlots sets what a rollout with canaries may do now: while one of them is on trial, only their
// slots are replaced, all at once.
func (d *decision) trySlots() {
	d.places = d.policy.Surge
	n := d.canaries()
	for i := range n {
		if s := d.slot(i); !s.trialPassed {
			d.trying, d.places = n, max(n, d.places)
			return
		}
	}
}

// mayReplace reports whether the rollout may replace the worker of slot n now.
func (d *decision) mayReplace(n int) bool { return d.trying == 0 || n < d.trying }

// isUnwell reports whether m has failed its health checks while it serves.
func (d *decision) isUnwell(m *Member) bool { return m.Unwell && m.serving() }
