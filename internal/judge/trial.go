package judge

import (
	"math"
	"time"

	"github.com/rota-go/rota/status"
)

// Interval is how often the workers are asked for what they have counted, and canaries are judged.
const Interval = time.Second

// Worker is one that serves during a trial.
type Worker struct {
	ID       int
	Canary   bool
	Counters status.Counters // as it has said last
}

// Trial has canaries judged. Its method and functions run on the master's loop, and none of them waits: what workers
// have counted comes some time after Ask, and is judged at the next Interval.
type Trial struct {
	After    func(time.Duration, func()) (stop func())
	Ask      func()                         // asks the workers for their counters
	Workers  func() (all []Worker, ok bool) // those that serve while canaries are on trial; ok is false when the rollout is over
	Unjudged func(requests, of int64)       // they had answered so many, and needed so many
	Worse    func(id int, err error)        // the canaries are worse, and so is the one of this id most of all

	canaries int // 0: there is no trial
	number   int // of the rollout, so that what was begun for another ends
	judge    Judge
	seen     Answers         // of the canaries, when they were looked at last
	before   map[int]Answers // by the others, until they were seen first; canaries had answered nothing before
}

// Start begins a trial that ends with its rollout, if that has canaries. One of another rollout is over.
func (t *Trial) Start(canaries int, j Judge) {
	t.number++
	if t.canaries = canaries; canaries == 0 {
		return
	}
	t.judge, t.seen, t.before = j, Answers{}, map[int]Answers{}
	t.Ask()
	t.continueIn(t.number)
}

func (t *Trial) continueIn(number int) {
	t.After(Interval, func() {
		all, ok := t.Workers()
		if number != t.number || !ok {
			return
		}
		t.look(all)
		t.Ask()
		t.continueIn(number)
	})
}

// look judges by what the workers have said so far.
func (t *Trial) look(all []Worker) {
	var canaries, others Answers
	worst, most := 0, int64(-1)
	for _, w := range all {
		now := Answers{w.Counters.Requests, w.Counters.Errors}
		if !w.Canary {
			others = others.plus(now.minus(t.first(w.ID, now)))
			continue
		}
		canaries = canaries.plus(now)
		if now.Errors > most {
			worst, most = w.ID, now.Errors
		}
	}
	if most >= 0 {
		t.seen = canaries
	}
	if err := t.judge.Judge(canaries, others); err != nil {
		t.Worse(worst, err)
	}
}

// End ends the trial with its rollout, which has succeeded. If the canaries had answered too few requests to be judged, it
// says so: they may be as bad as they like.
func (t *Trial) End() {
	if of := t.judge.needs(); t.canaries > 0 && t.seen.Requests < of && of != math.MaxInt {
		t.Unjudged(t.seen.Requests, of)
	}
	t.canaries = 0
}

// first returns what a worker had answered when it was seen first.
func (t *Trial) first(id int, now Answers) Answers {
	if _, ok := t.before[id]; !ok {
		t.before[id] = now
	}
	return t.before[id]
}

func (a Answers) plus(b Answers) Answers {
	return Answers{a.Requests + b.Requests, a.Errors + b.Errors}
}

func (a Answers) minus(b Answers) Answers {
	return Answers{a.Requests - b.Requests, a.Errors - b.Errors}
}
