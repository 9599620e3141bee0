package judge

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/rota-go/rota/status"
)

// fakeMaster carries out a trial. The test says what the workers have counted.
type fakeMaster struct {
	Trial
	next  func() // at the next Interval
	asked int
	all   []Worker
	over  bool
	worse []int
}

func newFake() *fakeMaster {
	f := &fakeMaster{}
	f.Trial = Trial{
		After:   func(_ time.Duration, g func()) func() { f.next = g; return func() {} },
		Ask:     func() { f.asked++ },
		Workers: func() ([]Worker, bool) { return f.all, !f.over },
		Worse:   func(id int, err error) { f.worse = append(f.worse, id) },
	}
	return f
}

func worker(id int, canary bool, requests, errors int64) Worker {
	return Worker{ID: id, Canary: canary, Counters: status.Counters{Requests: requests, Errors: errors}}
}

// What the workers of before had answered before the trial doesn't count, the sum of the canaries does, and the one with
// the most errors is to blame.
func TestTrial(t *testing.T) {
	f := newFake()
	f.Start(1, Judge{})
	f.all = []Worker{worker(1, false, 1000, 900), worker(3, true, 40, 0)}
	f.next()
	f.all = []Worker{worker(1, false, 1300, 900), worker(2, false, 50, 50), worker(3, true, 60, 10), worker(4, true, 39, 20)}
	f.next()
	if len(f.worse) != 0 || f.asked != 3 {
		t.Errorf("worse: %v by 99 answers; asked %d times", f.worse, f.asked)
	}
	f.all[3] = worker(4, true, 40, 20)
	f.next()
	if len(f.worse) != 1 || f.worse[0] != 4 {
		t.Errorf("worse: %v, want 4", f.worse)
	}
}

// The end of a trial says that the canaries were not judged: if they were to be, and have answered too little.
func TestUnjudged(t *testing.T) {
	for _, tc := range []struct {
		canaries int
		judge    Judge
		requests int64
		want     []int64
	}{
		{1, Judge{}, 99, []int64{99, 100}},
		{1, Judge{}, 100, nil},
		{1, Judge{Requests: 1000}, 100, []int64{100, 1000}},
		{1, Judge{Requests: math.MaxInt}, 100, nil},
		{0, Judge{}, 0, nil},
	} {
		f := newFake()
		var got []int64
		f.Unjudged = func(requests, of int64) { got = append(got, requests, of) }
		f.Start(1, Judge{}) // of a rollout that has failed
		f.Start(tc.canaries, tc.judge)
		f.all = []Worker{worker(1, false, 5000, 0), worker(3, true, tc.requests, 0)}
		f.next()
		f.all = f.all[:1] // the canary serves as the others do
		f.next()
		f.End()
		f.End() // of a rollout without canaries
		if !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// A trial ends with its rollout, and with the next trial.
func TestTrialEnds(t *testing.T) {
	f := newFake()
	f.Start(1, Judge{})
	old := f.next
	f.Start(1, Judge{})
	second := f.next
	f.all = []Worker{worker(3, true, 1000, 1000)}
	old()
	if f.asked != 2 || len(f.worse) != 0 {
		t.Errorf("the old trial goes on: asked %d times, worse %v", f.asked, f.worse)
	}
	f.over = true
	f.next = nil
	second()
	if f.next != nil || len(f.worse) != 0 {
		t.Errorf("the trial goes on after its rollout, worse %v", f.worse)
	}
}
