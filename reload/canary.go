package reload

import (
	"errors"
	"time"
)

var (
	// ErrUnwell means that a new worker has failed its health checks before the reload was over.
	ErrUnwell = errors.New("not well, by its health checks")
	// ErrReported means that a new worker has said that it is not well, by worker.Worker.Report, before the
	// reload was over. The error that wraps it has its words.
	ErrReported = errors.New("says that it is not well")
	// ErrAborted means that somebody has asked for the end of the reload ([Goal.Aborted]).
	ErrAborted = errors.New("aborted")
)

// Trial is how one rollout tries its release, whatever the policy of its workers says.
type Trial struct {
	Canary int           `json:"canary"`         // as Policy.Canary
	Time   time.Duration `json:"time,omitempty"` // as Policy.CanaryTime; 0: as the policy says
}

// Try returns the policy of a rollout with this trial; nil is that of p.
func (p Policy) Try(t *Trial) Policy {
	if t == nil {
		return p
	}
	p.Canary = t.Canary
	if t.Time != 0 {
		p.CanaryTime = t.Time
	}
	return p
}

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
