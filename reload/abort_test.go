package reload

import (
	"testing"
)

func TestAbort(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "a new worker dies before it is ready",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  crash a2             | abort (a2 died), rolled back, forget a2
			  end                       | a1 b1, at rest`,
	}, {
		name: "a new worker dies on trial",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			 3.9s  crash a2             | abort (a2 died), rolled back, forget a2
			  end                       | a1 b1, at rest`,
	}, {
		name: "a new worker dies when its slot is done: the slots roll back to the proven generation",
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
		name:   "the roll-back doesn't wait, though the old worker was told to leave soon after it was ready",
		policy: Policy{MinUptime: -1},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			 1.1s  reload               | start a2
			 1.2s  ready a2             | disconnect a1, start b2
			 1.3s  crash b2             | abort (b2 died), forget b2, start a1'
			 1.4s  ready a1'            | disconnect a2, rolled back
			  end                       | a1' b1, leaving a1 a2, asks at 37.2s`,
	}, {
		name: "the link of a new worker closes and it exits",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  unlink a2            |
			 3.5s  exit a2              | abort (a2 died), rolled back, forget a2
			  end                       | a1, at rest`,
	}, {
		name: "the link of a new worker closes and it does not exit",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  unlink a2            |
			   4s  wake                 | abort (a2 died), rolled back
			  end                       | a1, leaving a2, asks at 39s`,
	}, {
		name: "a new worker is not ready in time: it is disconnected, then forced",
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
		name: "a new worker that is ready gives no sign of life",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			 3.7s  ask a2               |
			 8.7s  wake                 | abort (a2 no answer after it was ready), disconnect a2, rolled back
			  end                       | a1, leaving a2, asks at 44.7s`,
	}, {
		name: "or gives it late",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             |
			 3.7s  ask a2               |
			 8.6s  answer a2            | disconnect a1, complete
			  end                       | a2, leaving a1, asks at 44.6s`,
	}, {
		name:   "no ReadyTimeout: a new worker may take any time",
		policy: Policy{ReadyTimeout: NoLimit},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			  end                       | a1 a2, at rest`,
	}, {
		name:   "two new workers hang: the abort names the lower slot",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2, start b2
			  62s  wake                 | abort (a2 not ready in time), disconnect a2, disconnect b2, rolled back
			  end                       | a1 b1, leaving a2 b2, asks at 1m38s`,
	}, {
		name:   "after an abort, a new worker that is not ready is disconnected at once",
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
		name:   "one new worker dies and one hangs: the abort names the dead one",
		policy: Policy{Surge: 2},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2, start b2
			  62s  crash b2             | abort (b2 died), disconnect a2, forget b2, rolled back
			  end                       | a1 b1, leaving a2, asks at 1m38s`,
	}, {
		name:   "an old worker has crashed meanwhile: the new one serves until the slot has an old one again",
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
		name: "an abort does not change the back-off of an old worker",
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
		name: "slot by slot, one for each place of the surge",
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
		name: "a worker of the proven generation crashes: the newer one serves until another is ready",
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
		name: "a reload during the roll-back: three generations",
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
		name: "a reload during the roll-back fails too: back to the first generation",
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
		name: "the newer worker crashes before the proven one is ready",
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
