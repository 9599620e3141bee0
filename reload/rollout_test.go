package reload

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRollout(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "one slot at a time, each MinUptime after its new worker is ready",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  exit a1              | forget a1
			   6s  ready b2             |
			   7s  wake                 | disconnect b1, complete
			   8s  exit b1              | forget b1
			  end                       | a2 b2, at rest`,
	}, {
		name: "one worker",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, complete
			   5s  exit a1              | forget a1
			  end                       | a2, at rest`,
	}, {
		name:   "two at a time, the third when the first is done",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 3               | start a1, start b1, start c1
			   1s  ready a1, ready b1, ready c1 | establish
			   2s  reload               | start a2, start b2
			   3s  ready b2             |
			 3.5s  ready a2             |
			   4s  wake                 | disconnect b1, start c2
			 4.5s  wake                 | disconnect a1
			   5s  ready c2             |
			   6s  wake                 | disconnect c1, complete
			  end                       | a2 b2 c2, leaving a1 b1 c1, asks at 40s`,
	}, {
		name:   "all at once",
		policy: Policy{Surge: 3, MinUptime: -1},
		text: `
			   0s  size 3               | start a1, start b1, start c1
			   1s  ready a1, ready b1, ready c1 | establish
			   2s  reload               | start a2, start b2, start c2
			   3s  ready a2, ready b2, ready c2 | disconnect a1, disconnect b1, disconnect c1, complete
			   4s  exit a1, exit b1, exit c1 | forget a1, forget b1, forget c1
			  end                       | a2 b2 c2, at rest`,
	}, {
		name:   "MinUptime",
		policy: Policy{MinUptime: 10 * time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			12.9s  ready a2             |
			22.9s  wake                 | disconnect a1, complete
			  end                       | a2, leaving a1, asks at 58.9s`,
	}, {
		name: "an old worker that crashes on its turn is started again, and the rollout goes on",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  crash a1             |
			 3.1s  wake                 | start a1' (1), forget a1
			   4s  ready a2             |
			   5s  wake                 | disconnect a1', start b2
			   6s  ready b2             |
			   7s  wake                 | disconnect b1, complete
			  end                       | a2 b2, leaving b1 a1', asks at 41s`,
	}, {
		name: "an old worker that crashes before its turn is started again first",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  crash b1             |
			 3.1s  wake                 | start b1' (1), forget b1
			   4s  ready a2, ready b1'  |
			   5s  wake                 | disconnect a1, start b2
			  end                       | a2 b1' b2, leaving a1, asks at 41s`,
	}, {
		name: "a crash loop does not delay the rollout, and never exceeds the surge",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  crash a1             |
		  2.001s  reload                | start a2
			 2.1s  wake                 | start a1' (1), forget a1
			 2.2s  crash a1'            |
			 2.3s  ready a2             |
			2.35s  wake                 | start a1'' (2), forget a1'
			 2.4s  crash a1''           |
		  2.625s  wake                  | start a1''' (3), forget a1''
			 3.3s  wake                 | disconnect a1''', start b2
			  4s  exit a1'''            |
			  5s  ready b2              |
			  6s  wake                  | disconnect b1, complete, forget a1'''
			  7s  exit b1               | forget b1
			  end                       | a2 b2, at rest`,
	}, {
		name:   "an old worker that is started again hangs: it is waited for",
		policy: Policy{ReadyTimeout: 3 * time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  crash a1             |
			 2.1s  wake                 | start a1' (1), forget a1
			   3s  reload               | start a2
			 5.1s  wake                 | late a1'
			 5.2s  crash a1'            |
			 5.3s  ready a2             |
			5.35s  wake                 | start a1'' (2), forget a1'
			 6.3s  wake                 | disconnect a1'', complete
			  end                       | a2, leaving a1'', asks at 42.3s`,
	}, {
		name: "a slot whose new worker leaves gets a proven one, then a new one",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  leave a2             | start a1'
			   6s  ready b2, ready a1'  |
			   7s  wake                 | disconnect b1, start a2'
			   8s  ready a2'            |
			   9s  wake                 | disconnect a1', complete
			  end                       | a2' b2, leaving a1 b1 a2 a1', asks at 40s`,
	}, {
		name:   "a new worker that has left is not overdue",
		policy: Policy{MinUptime: 20 * time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			  40s  leave a2             |
			40.1s  wake                 | start a2' (1)
			  50s  ready a2'            |
			  70s  wake                 | disconnect a1, complete
			  end                       | a2', leaving a1 a2, asks at 1m16s`,
	}, {
		name: "a new Next replaces a rollout under way",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			 3.5s  reload               | disconnect a2, start a3
			   4s  ready a3             |
			   5s  wake                 | disconnect a1, complete
			  end                       | a3, leaving a1 a2, asks at 39.5s`,
	}, {
		name: "a reload waits: a new worker that takes three times as long as the old ones is given up",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1             |
			   2s  ready b1             | establish
			  10s  reload               | start a2
			  11s  wait                 |
			  16s  wake                 | abort (a2 not ready when a newer reload was requested), disconnect a2, rolled back
			  end                       | a1 b1, leaving a2, asks at 52s`,
	}, {
		name: "and at once if it has taken that long, though slots were replaced",
		text: `
			   0s  size 2               | start a1, start b1
			 0.1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			 2.1s  ready a2             |
			 3.1s  wake                 | disconnect a1, start b2
			   7s  wait                 | abort (b2 not ready when a newer reload was requested), disconnect b2, start a1'
			 7.1s  reload               | disconnect a1', start a3
			 7.2s  ready a3             |
			 8.2s  wake                 | disconnect a2, start b3
			 8.3s  ready b3             |
			 9.3s  wake                 | disconnect b1, complete
			  end                       | a3 b3, leaving a1 b1 a2 b2 a1', asks at 39.1s`,
	}, {
		name: "but not one that is on trial, or starts in time",
		text: `
			   0s  size 2               | start a1, start b1
			 0.1s  ready a1, ready b1   | establish
			   2s  reload, wait         | start a2
			 2.9s  ready a2             |
			 3.9s  wake                 | disconnect a1, start b2
			 4.8s  ready b2             |
			 5.8s  wake                 | disconnect b1, complete
			  end                       | a2 b2, leaving a1 b1, asks at 39.9s`,
	}, {
		name: "a new worker that leaves or is retired on trial is followed by another",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  leave a2             |
			 3.1s  wake                 | start a2' (1)
			   4s  ready a2'            |
			 4.5s  retire a2'           |
		    4.65s  wake                 | start a2'' (2)
			   5s  ready a2''           |
			   6s  wake                 | disconnect a1, complete
			  end                       | a2'', leaving a1 a2 a2', asks at 39s`,
	}})
}

// Members that Next would not have started (outside the slots, two in one slot, or of an
// unknown generation) are disconnected too.
func TestUnexpectedMembers(t *testing.T) {
	now := time.Unix(1e9, 0)
	goal := Goal{Workers: 1, Generation: 2, Established: true}
	members := []Member{
		{ID: 1, Slot: 0, Generation: 2, Started: now},
		{ID: 2, Slot: 0, Generation: 2, Started: now},
		{ID: 3, Slot: -1, Generation: 2, Started: now, Ready: now},
		{ID: 4, Slot: 1 << 60, Generation: 2, Started: now, Ready: now},
		{ID: 5, Slot: 0, Generation: 9, Started: now},
		{ID: 6, Slot: 0, Generation: 1, Started: now, Ready: now},
	}
	steps, _ := Policy{}.Next(goal, members, now)
	var want []Step
	for _, id := range []int{2, 5, 3, 4} {
		want = append(want, Step{Do: Disconnect, ID: id, Within: 30 * time.Second})
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	goal.Workers = -1
	if steps, _ = (Policy{}).Next(goal, members, now); len(steps) != len(members) {
		t.Errorf("with -1 workers: %v", steps)
	}
}
