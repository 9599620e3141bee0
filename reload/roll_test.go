package reload

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRoll(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "one at a time, each a MinUptime after its ready",
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
		name:   "two at a time, and the third when the first of them is through",
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
		name:   "blue and green",
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
		name: "an old one that crashes on its turn comes back, and the roll goes on",
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
		name: "an old one that crashes before its turn comes back first",
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
		name: "a crash loop does not hold the roll up, and never exceeds the surge",
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
		name:   "an old one hangs at its respawn",
		policy: Policy{ReadyTimeout: 3 * time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  crash a1             |
			 2.1s  wake                 | start a1' (1), forget a1
			   3s  reload               | start a2
			 5.1s  wake                 | kill a1'
			 5.2s  exit a1'             |
			 5.3s  ready a2             |
			5.35s  wake                 | start a1'' (2), forget a1'
			 6.3s  wake                 | disconnect a1'', complete
			  end                       | a2, leaving a1'', asks at 42.3s`,
	}, {
		name: "a new one that leaves is started again, beside one that has proven itself",
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
		name:   "a new one that has left is late for nothing",
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
		name: "another reload takes the place of one under way",
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
		name: "a new one that leaves or is retired on trial: another",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  leave a2             |
			 3.1s  wake                 | start a2' (1)
			   4s  ready a2'            |
			 4.5s  retire a2'           | start a2'' (1)
			   5s  ready a2''           |
			   6s  wake                 | disconnect a1, complete
			  end                       | a2'', leaving a1 a2 a2', asks at 39s`,
	}})
}

func TestAbort(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "dies before it was ready",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  crash a2             | abort (a2 died), rolled back, forget a2
			  end                       | a1 b1, at rest`,
	}, {
		name: "dies on trial",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			 3.9s  crash a2             | abort (a2 died), rolled back, forget a2
			  end                       | a1 b1, at rest`,
	}, {
		name: "dies when its slot is done: rolled back, the proven generation first",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  crash a2             | abort (a2 died), forget a2, start a1', disconnect b2
			   6s  ready a1'            | rolled back
			  end                       | a1' b1, leaving a1 b2, asks at 40s`,
	}, {
		name: "its link closes, and its exit says that it died",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  unlink a2            |
			 3.5s  exit a2              | abort (a2 died), rolled back, forget a2
			  end                       | a1, at rest`,
	}, {
		name: "its link closes, and it does not go",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  unlink a2            |
			   4s  wake                 | abort (a2 died), rolled back
			  end                       | a1, leaving a2, asks at 39s`,
	}, {
		name: "not ready in time: told to go, then forced",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			  62s  wake                 | abort (a2 not ready in time), disconnect a2, rolled back
			  98s  wake                 | terminate a2
			 103s  wake                 | kill a2
			 104s  exit a2              | forget a2
			  end                       | a1 b1, at rest`,
	}, {
		name:   "has for ever to get ready",
		policy: Policy{ReadyTimeout: -1},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			  end                       | a1 a2, at rest`,
	}, {
		name:   "two hang: the first slot is told",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2, start b2
			  62s  wake                 | abort (a2 not ready in time), disconnect a2, disconnect b2, rolled back
			  end                       | a1 b1, leaving a2 b2, asks at 1m38s`,
	}, {
		name:   "a new one that serves nothing yet does not wait for the old one to be back",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2, start b2
			   3s  crash a1             |
			3.05s  crash b2             | abort (b2 died), disconnect a2, forget b2
			 3.1s  wake                 | start a1' (1), forget a1
			  end                       | a1' b1, leaving a2, asks at 39.05s`,
	}, {
		name:   "one dies and one hangs: it is the death that is told",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2, start b2
			  62s  crash b2             | abort (b2 died), disconnect a2, forget b2, rolled back
			  end                       | a1 b1, leaving a2, asks at 1m38s`,
	}, {
		name:   "an old one has crashed meanwhile: the new one stays until it is back",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2, start b2
			   3s  ready a2             |
			 3.5s  crash a1             |
			3.55s  crash b2             | abort (b2 died), forget b2
			 3.6s  wake                 | start a1' (1), forget a1
			   4s  ready a1'            | disconnect a2, rolled back
			  end                       | a1' b1, leaving a2, asks at 40s`,
	}, {
		name: "during the back-off of an old one: it comes back when it would have",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  crash a1             |
			3.05s  crash a2             | abort (a2 died), forget a2
			 3.1s  wake                 | start a1' (1), forget a1
			   4s  ready a1'            | rolled back
			  end                       | a1', at rest`,
	}})
}

func TestRollBack(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "slot by slot, by the surge",
		text: `
			   0s  size 3               | start a1, start b1, start c1
			   1s  ready a1, ready b1, ready c1 | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  ready b2             |
			   6s  wake                 | disconnect b1, start c2
			   7s  ready c2             |
			 7.5s  crash c2             | abort (c2 died), forget c2, start a1'
			   8s  ready a1'            | disconnect a2, start b1'
			   9s  ready b1'            | disconnect b2, rolled back
			  10s  exit a1, exit b1, exit a2, exit b2 | forget a1, forget a2, forget b1, forget b2
			  end                       | a1' b1' c1, at rest`,
	}, {
		name: "the proven generation crashes: back-off, and the newer serves until it is back",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  crash b2, exit a1    | abort (b2 died), forget a1, forget b2, start a1'
			   6s  crash a1'            |
			 6.1s  wake                 | start a1'' (1), forget a1'
			   7s  ready a1''           | disconnect a2, rolled back
			  end                       | a1'' b1, leaving a2, asks at 43s`,
	}, {
		name: "the next reload comes during the roll back: three generations",
		text: `
			   0s  size 3               | start a1, start b1, start c1
			   1s  ready a1, ready b1, ready c1 | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  ready b2             |
			   6s  wake                 | disconnect b1, start c2
			   7s  crash c2             | abort (c2 died), forget c2, start a1'
			   8s  reload               | disconnect a1', start a3
			   9s  ready a3             |
			  10s  wake                 | disconnect a2, start b3
			  11s  ready b3             |
			  12s  wake                 | disconnect b2, start c3
			  13s  ready c3             |
			  14s  wake                 | disconnect c1, complete
			  end                       | a3 b3 c3, leaving a1 b1 c1 a2 b2 a1', asks at 40s`,
	}, {
		name: "and fails too: back to the first",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  crash b2, exit a1    | abort (b2 died), forget a1, forget b2, start a1'
			   6s  ready a1', reload    | disconnect a2, start a3
			   7s  crash a3             | abort (a3 died), rolled back, forget a3
			   8s  exit a2              | forget a2
			  end                       | a1' b1, at rest`,
	}, {
		name: "the newer one crashes before the proven is back",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  crash b2             | abort (b2 died), forget b2, start a1'
			   6s  crash a2             | forget a2
			   7s  ready a1'            | rolled back
			  end                       | a1' b1, leaving a1, asks at 40s`,
	}})
}

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
		name: "one that has not started yet has to, first",
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
		name:   "one that hangs too",
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
		name: "the old one crashes first: the successor has the slot",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			   3s  crash a1             | forget a1
			   4s  ready a1'            |
			  end                       | a1', at rest`,
	}, {
		name: "not during a roll, which replaces it anyway",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload, recycle a1   | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, complete
			  end                       | a2, leaving a1, asks at 40s`,
	}, {
		name: "a roll begins meanwhile: the successor goes",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			   3s  reload               | disconnect a1', start a2
			   4s  crash a2             | abort (a2 died), rolled back, forget a2, start a1'' (1)
			   5s  exit a1'             | forget a1'
			  end                       | a1 a1'', asks at 1m4s`,
	}, {
		name: "not during a roll back",
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

// Who is of no slot, twice in one, or of a generation that nobody asked for has
// not come by Next; it ends in good order all the same.
func TestStrangers(t *testing.T) {
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
	want := []Step{{Do: Disconnect, ID: 2}, {Do: Disconnect, ID: 5}, {Do: Disconnect, ID: 3}, {Do: Disconnect, ID: 4}}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	goal.Workers = -1
	if steps, _ = (Policy{}).Next(goal, members, now); len(steps) != len(members) {
		t.Errorf("fewer workers than none: %v", steps)
	}
}

func TestMaxAgeWaitsForTheRoll(t *testing.T) {
	runTimelines(t, []timeline{{
		policy: Policy{MaxAge: 10 * time.Minute, ReadyTimeout: -1},
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
	w.settle()
	for i := range w.members {
		w.members[i].Ready = w.now
	}
	w.settle()
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
	w.settle()
	want := []Step{{Do: Start, Slot: w.members[w.index[first]].Slot, Generation: 1}}
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
