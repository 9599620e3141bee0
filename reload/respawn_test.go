package reload

import (
	"testing"
	"time"
)

func TestRespawn(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "the delay grows with crashes in a row, until a worker is ready for long",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			 100s  crash a1             |
		   100.1s  wake                 | start a1' (1), forget a1
		   100.2s  crash a1'            |
		  100.35s  wake                 | start a1'' (2), forget a1'
		   100.4s  ready a1''           |
		   100.5s  crash a1''           |
		 100.725s  wake                 | start a1''' (3), forget a1''
		     101s  ready a1'''          |
		     131s  crash a1'''          |
		   131.1s  wake                 | start a1'''' (1), forget a1'''
			  end                       | a1'''', asks at 3m11.1s`,
	}, {
		name:   "no back-off",
		policy: Policy{MinBackoff: -1},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  crash a1             | start a1' (1), forget a1
			   3s  crash a1'            | start a1'' (2), forget a1'
			  end                       | a1'', asks at 1m3s`,
	}, {
		name: "not ready in time, and nobody else serves: it is waited for",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  crash a1             |
			 2.1s  wake                 | start a1' (1), forget a1
			62.1s  wake                 | late a1'
			 180s  ready a1'            |
			  end                       | a1', at rest`,
	}, {
		name: "not ready in time beside another: killed, which is a crash",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			  62s  wake                 | kill a1'
			62.1s  exit a1'             |
			62.2s  wake                 | start a1'' (1), forget a1'
			  end                       | a1 a1'', asks at 2m2.2s`,
	}, {
		name:   "killed and not exited: another worker takes its place",
		policy: Policy{ReadyTimeout: time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  recycle a1           | start a1'
			   3s  wake                 | kill a1'
			 4.1s  wake                 | start a1'' (1)
			4.26s  ready a1''           | disconnect a1
			   5s  exit a1              | forget a1
			  end                       | a1'', leaving a1', at rest`,
	}, {
		name: "a closed link: another worker takes its place if the exit doesn't come",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  unlink a1, unlink b1 |
			 2.1s  exit a1              |
			 2.2s  wake                 | start a1' (1), forget a1
			 3.1s  wake                 | start b1' (1)
			   4s  ready a1', ready b1' |
			  38s  wake                 | terminate b1
			  43s  wake                 | kill b1
			  end                       | a1' b1', leaving b1, at rest`,
	}, {
		name: "workers that leave by themselves soon after they were ready wait as if they had crashed",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			 1.5s  leave a1             |
			 1.6s  wake                 | start a1' (1)
			   2s  ready a1'            |
			 2.9s  leave a1', exit a1'  |
		    3.05s  wake                 | start a1'' (2), forget a1'
			   4s  ready a1''           |
			   5s  leave a1'', exit a1'' | start a1''' (2), forget a1''
			  end                       | a1''', leaving a1, asks at 37.5s`,
	}, {
		name:   "and MinUptime says how soon, if it is longer",
		policy: Policy{MinUptime: 3 * time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			 3.9s  leave a1             |
			   4s  wake                 | start a1' (1)
			   5s  ready a1', exit a1   | forget a1
			   8s  leave a1'            | start a1'' (1)
			  end                       | a1'', leaving a1', asks at 44s`,
	}, {
		name: "a worker that leaves by itself is replaced at once",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  leave a1             | start a1'
			   3s  ready a1', exit a1   | forget a1
			  end                       | a1', at rest`,
	}, {
		name:   "leaving one after the other: only the last of the slot counts",
		policy: Policy{healed: -1},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  leave a1             | start a1'
			   3s  leave a1'            |
			 3.1s  wake                 | start a1'' (1)
			   4s  ready a1''           |
			   5s  leave a1'', exit a1'' | start a1''', forget a1''
			   6s  exit a1, exit a1'    | forget a1, forget a1'
			  end                       | a1''', asks at 1m5s`,
	}, {
		name: "a retired worker is not replaced",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  retire a1            |
			   3s  exit a1              |
			  end                       | b1, dead a1, at rest`,
	}, {
		name: "a rollout fills the slot of a retired worker",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  retire a1            |
			   3s  exit a1              |
			   4s  reload               | start a2
			   5s  ready a2             |
			   6s  wake                 | forget a1, start b2
			   7s  ready b2             |
			   8s  wake                 | disconnect b1, complete
			   9s  exit b1              | forget b1
			  end                       | a2 b2, at rest`,
	}, {
		name: "a rollout that fails before it has filled a retired worker's slot leaves it empty",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  retire a1            |
			   3s  exit a1              |
			   4s  reload               | start a2
			   5s  crash a2             | abort (a2 died), rolled back, forget a2
			  end                       | b1, dead a1, at rest`,
	}, {
		name: "a rollout that fails after it has filled a retired worker's slot leaves it filled",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  retire a1            |
			   3s  exit a1              |
			   4s  reload               | start a2
			   5s  ready a2             |
			   6s  wake                 | forget a1, start b2
			 6.1s  crash b2             | abort (b2 died), forget b2, start a1'
			   7s  ready a1'            | disconnect a2, rolled back
			   8s  exit a2              | forget a2
			  end                       | a1' b1, at rest`,
	}, {
		name: "shrinking and growing fills the slot of a retired worker",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  retire b1            |
			   3s  exit b1              |
			   4s  size 1               | forget b1
			   5s  size 2               | start b1'
			  end                       | a1 b1', asks at 1m5s`,
	}})
}

func TestResize(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "up and down",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  size 3               | start b1, start c1
			   3s  ready b1, crash c1   |
			 3.1s  wake                 | start c1' (1), forget c1
			   4s  size 1               | disconnect b1, disconnect c1'
			   5s  exit b1, exit c1'    | forget b1, forget c1'
			  end                       | a1, at rest`,
	}, {
		name: "a worker that crashes as its slot is removed is not started again",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  crash b1, size 1     | forget b1
			  end                       | a1, at rest`,
	}, {
		name: "up during a rollout: a new slot starts with the proven generation",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  size 2               | start b1
			 3.1s  ready b1, ready a2   |
			 4.1s  wake                 | disconnect a1, start b2
			   5s  ready b2, exit a1    | forget a1
			   6s  wake                 | disconnect b1, complete
			   7s  exit b1              | forget b1
			  end                       | a2 b2, at rest`,
	}, {
		name: "down during a rollout, by the slot that is being replaced",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  size 1               | disconnect b1, disconnect b2, complete
			   6s  exit a1, exit b1, exit b2 | forget a1, forget b1, forget b2
			  end                       | a2, at rest`,
	}, {
		name:   "down just when a new worker of a removed slot is overdue: no failure",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2, start b2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1
			   5s  exit a1              | forget a1
			  62s  size 1               | disconnect b1, disconnect b2, complete
			  end                       | a2, leaving b1 b2, asks at 1m38s`,
	}, {
		name: "down during a roll-back",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			   4s  wake                 | disconnect a1, start b2
			   5s  crash b2             | abort (b2 died), forget b2, start a1'
			   6s  size 0               | disconnect b1, disconnect a2, disconnect a1', rolled back
			  end                       | none, leaving a1 b1 a2 a1', asks at 40s`,
	}})
}
