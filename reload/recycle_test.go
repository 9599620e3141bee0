package reload

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecycle(t *testing.T) {
	runTimelines(t, []timeline{{
		name:   "one at a time, the successor ready first",
		policy: Policy{Surge: 3},
		text: `
			   0s  size 3               | start a1, start b1, start c1
			   1s  ready a1, ready b1, ready c1 | establish
			   2s  recycle b1, recycle c1 | start b1'
			   3s  ready b1'            | disconnect b1, start c1'
			   4s  ready c1'            | disconnect c1
			   5s  exit b1, exit c1     | forget b1, forget c1
			  end                       | a1 b1' c1', at rest`,
	}, {
		name: "a successor that crashes is tried again after the back-off",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			   3s  crash a1'            |
			 3.1s  wake                 | start a1'' (1), forget a1'
			   4s  ready a1''           | disconnect a1
			   5s  exit a1              | forget a1
			  end                       | a1'', at rest`,
	}, {
		name: "a worker that is not ready yet is not recycled",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  crash a1             |
			 2.1s  wake                 | start a1' (1), forget a1
			 2.2s  recycle a1'          |
			   3s  ready a1'            | start a1'' (1)
			   4s  ready a1''           | disconnect a1'
			  end                       | a1'', leaving a1', asks at 40s`,
	}, {
		name:   "a successor that hangs is killed and tried again",
		policy: Policy{ReadyTimeout: time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			   3s  wake                 | kill a1'
			 3.2s  exit a1'             |
			 3.3s  wake                 | start a1'' (1), forget a1'
			  end                       | a1 a1'', asks at 4.3s`,
	}, {
		name: "the old worker crashes first: the successor takes the slot",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			   3s  crash a1             | forget a1
			   4s  ready a1'            |
			  end                       | a1', at rest`,
	}, {
		name: "not during a rollout, which replaces it anyway",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload, recycle a1   | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, complete
			  end                       | a2, leaving a1, asks at 40s`,
	}, {
		name: "a rollout begins meanwhile: the successor is disconnected",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			   3s  reload               | disconnect a1', start a2
			   4s  crash a2             | abort (a2 died), rolled back, forget a2, start a1'' (1)
			   5s  exit a1'             | forget a1'
			  end                       | a1 a1'', asks at 1m4s`,
	}, {
		name: "not during a roll-back",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  crash b2, recycle b1 | abort (b2 died), forget b2, start a1'
			   6s  ready a1'            | disconnect a2, rolled back, start b1'
			  end                       | a1' b1 b1', leaving a1 a2, asks at 40s`,
	}})
}

func TestMaxAgeWaitsForTheRollout(t *testing.T) {
	runTimelines(t, []timeline{{
		policy: Policy{MaxAge: 10 * time.Minute, ReadyTimeout: NoLimit},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  exit a1              | forget a1
			  end                       | a2 b1 b2, at rest
			  1h  ready b2              |
		   3601s  wake                  | disconnect b1, complete, start a2'
			  end                       | a2 a2' b2, leaving b1, asks at 1h0m37s`,
	}})
}

func TestMaxAge(t *testing.T) {
	w := newWorld(t, Policy{MaxAge: 10 * time.Minute}, 3)
	w.reconcile()
	for i := range w.members {
		w.members[i].Ready = w.now
	}
	w.reconcile()
	first := 1 // the worker that is to live shortest
	for id := range 4 {
		if id > 0 && w.policy.lifetime(id) < w.policy.lifetime(first) {
			first = id
		}
	}
	if got, want := w.wake.Sub(w.begin), w.policy.lifetime(first); got != want {
		t.Fatalf("first recycled after %v, want %v", got, want)
	}
	w.now = w.wake
	w.reconcile()
	want := []Step{{Do: Start, ID: first, Slot: w.members[w.index[first]].Slot, Generation: 1}}
	if diff := cmp.Diff(want, w.steps); diff != "" {
		t.Errorf("when worker %d is too old (-want +got):\n%s", first, diff)
	}
}

func TestMaxAgeJitter(t *testing.T) {
	const n = 10000
	p := Policy{MaxAge: time.Hour}
	var tenths [10]int
	for id := range n {
		early := p.MaxAge - p.lifetime(id)
		if early < 0 || early > p.MaxAge/10 {
			t.Fatalf("worker %d is recycled %v early", id, early)
		}
		tenths[min(9, 10*early/(p.MaxAge/10))]++
	}
	for i, count := range tenths {
		if count < n/10*8/10 || count > n/10*12/10 {
			t.Errorf("%d of %d workers are recycled in tenth %d of the spread", count, n, i)
		}
	}
	for _, tiny := range []time.Duration{1, 9, 10, 11} {
		if age := (Policy{MaxAge: tiny}).lifetime(7); age <= 0 || age > tiny {
			t.Errorf("MaxAge %d: %d", tiny, age)
		}
	}
}
