package judge

import (
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
	f.Start(Judge{})
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

// A trial ends with its rollout, and with the next trial.
func TestTrialEnds(t *testing.T) {
	f := newFake()
	f.Start(Judge{})
	old := f.next
	f.Start(Judge{})
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
