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
	// ErrWorse means that canaries have answered more requests with an error of the server than the workers of before
	// did meanwhile, as package rotahttp counts them. The error that wraps it has the numbers.
	ErrWorse = errors.New("answers more requests with a status of 5xx than the workers of before")
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

// Undecided returns g without what somebody has decided about a rollout: Promoted, Aborted and Paused. A reload
// begins with it, before its generation is prepared and Next is set.
func (g Goal) Undecided() Goal {
	g.Promoted, g.Aborted, g.Paused = false, false, time.Time{}
	return g
}

// Pause returns g with a rollout that stands still: no worker of the new generation is started, no worker of the old one
// is disconnected for it, the time of trials doesn't pass, and the rollout isn't completed. What fails a rollout
// fails it in a pause too. Where a new worker leaves, an old one takes its place. In a pause it changes nothing.
func (g Goal) Pause(now time.Time) Goal {
	if g.Paused.IsZero() {
		g.Paused = now
	}
	return g
}

// Resume returns g without the pause, and adds its time to Member.Held.
func (g Goal) Resume(members []*Member, now time.Time) Goal {
	for _, m := range members {
		if !g.Paused.IsZero() && m.Generation == g.Next && m.IsReady() {
			m.Held += min(now.Sub(g.Paused), now.Sub(m.Ready))
		}
	}
	g.Paused = time.Time{}
	return g
}

// IsPaused reports whether there is a rollout, and it stands still.
func (g Goal) IsPaused() bool { return g.Next != 0 && !g.Paused.IsZero() }

func (d *decision) isPaused() bool { return d.rollingOut && d.goal.IsPaused() }

// isTried reports whether m, which is ready, has been so for the time of its trial. In a pause that is what was so when
// it began.
func (d *decision) isTried(m *Member) bool {
	if !d.isPaused() {
		return d.passed(m.Ready, m.Held, d.trial(m))
	}
	t := Sum(m.Held, d.trial(m))
	return t != NoLimit && !m.Ready.Add(t).After(d.goal.Paused)
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
func (r *Rota) trySlots(d *decision) {
	d.places = d.policy.Surge
	n := d.canaries()
	for i := range r.facts[untried].all {
		if i < n {
			d.trying, d.places = n, max(n, d.places)
		}
		return
	}
}

// Tries reports whether canaries are on trial, or are being started.
func (p Policy) Tries(goal Goal, members []Member, now time.Time) bool {
	return rotaOf(goal, members).Tries(p, goal, now)
}

// Tries is [Policy.Tries] of the members of r.
func (r *Rota) Tries(p Policy, goal Goal, now time.Time) bool {
	d := r.decide(p, goal, now)
	r.trySlots(d)
	return d.trying > 0
}

// mayReplace reports whether the rollout may replace the worker of slot n now.
func (d *decision) mayReplace(n int) bool {
	return !d.isPaused() && (d.trying == 0 || n < d.trying)
}
