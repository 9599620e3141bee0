package reload

import (
	"testing"
	"time"
)

func TestStop(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "all workers are disconnected, also one that has just started",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  crash b1             |
			 2.1s  wake                 | start b1' (1), forget b1
			   3s  stop                 | disconnect a1, disconnect b1'
			   4s  exit b1'             | forget b1'
			  39s  wake                 | terminate a1
			  40s  exit a1              | forget a1, stopped
			  end                       | none, at rest`,
	}, {
		name: "during a rollout",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  reload               | start a2
			   3s  stop                 | disconnect a1, disconnect a2, disconnect b1
			   4s  crash a2             | forget a2
			   5s  exit a1, exit b1     | forget a1, forget b1, stopped
			   6s  reload               |
			  end                       | none, at rest`,
	}, {
		name: "during a back-off no worker is started any more",
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  crash a1             |
			2.05s  stop                 | forget a1, stopped
			  end                       | none, at rest`,
	}, {
		name: "with Kill all are killed at once, draining ones too, each once",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  leave a1             | start a1'
			   3s  stop                 | disconnect a1', disconnect b1
			   4s  kill                 | kill a1, kill a1', kill b1
			   5s  exit a1, exit a1'    | forget a1, forget a1'
			   6s  exit b1              | forget b1, stopped
			  end                       | none, at rest`,
	}})
}

// How long a drain may take depends on why it began, and a stop may shorten it.
func TestStopGrace(t *testing.T) {
	hours := Policy{Grace: 8 * time.Hour, StopGrace: 10 * time.Second, KillAfter: 2 * time.Second, MinUptime: -1}
	runTimelines(t, []timeline{{
		name:   "a stop has StopGrace, also for workers of earlier reloads",
		policy: hours,
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             | disconnect a1, complete
			 100s  stop                 | hurry a1, disconnect a2
			 113s  wake                 | terminate a1, terminate a2
			 114s  exit a1              | forget a1
			 115s  wake                 | kill a2
			  end                       | none, leaving a2, at rest`,
	}, {
		name:   "a drain keeps its earlier end",
		policy: Policy{Grace: 20 * time.Second, StopGrace: time.Hour, KillAfter: 2 * time.Second, MinUptime: -1},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             | disconnect a1, complete
			  10s  stop                 | disconnect a2
			  26s  wake                 | terminate a1
			  28s  wake                 | kill a1
			  end                       | none, leaving a1 a2, asks at 1h0m13s`,
	}, {
		name:   "a second stop ends the grace, a third changes nothing",
		policy: hours,
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  stop                 | disconnect a1, disconnect b1
			   3s  exit b1              | forget b1
			   4s  stop again           | hurry a1
			   5s  stop again           |
			   7s  wake                 | terminate a1
			   9s  wake                 | kill a1
			  end                       | none, leaving a1, at rest`,
	}, {
		name:   "a second stop bounds a grace without a limit, and a worker that has lost its link",
		policy: Policy{Grace: NoLimit, KillAfter: 2 * time.Second},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  unlink b1            |
			   3s  stop                 | disconnect a1
			1000h  stop again           | hurry a1, hurry b1
			1000h0m3s  wake             | terminate a1, terminate b1
			1000h0m4s  exit a1, exit b1 | forget a1, forget b1, stopped
			  end                       | none, at rest`,
	}, {
		name:   "a master that was replaced gives its workers their grace, until it is stopped",
		policy: hours,
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  replaced             | disconnect a1
			 100s  stop                 | hurry a1
			 113s  wake                 | terminate a1
			 114s  exit a1              | forget a1, stopped
			  end                       | none, at rest`,
	}, {
		name:   "no limit for KillAfter: no worker is forced",
		policy: Policy{Grace: -1, KillAfter: NoLimit},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  stop                 | disconnect a1
			  end                       | none, leaving a1, at rest`,
	}})
}

func TestForce(t *testing.T) {
	runTimelines(t, []timeline{{
		name:   "the grace, a second, then KillAfter twice",
		policy: Policy{Grace: 10 * time.Second, KillAfter: 2 * time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  size 0               | disconnect a1
			  15s  wake                 | terminate a1
			  17s  wake                 | kill a1
			  end                       | none, leaving a1, at rest`,
	}, {
		name:   "a closed link ends the drain",
		policy: Policy{Grace: 10 * time.Second, KillAfter: 2 * time.Second},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  size 0               | disconnect a1
			   3s  unlink a1            |
			   5s  wake                 | terminate a1
			   6s  exit a1              | forget a1
			  end                       | none, at rest`,
	}, {
		name:   "no grace and no KillAfter",
		policy: Policy{Grace: -1, KillAfter: -1},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  size 0               | disconnect a1
			   3s  wake                 | terminate a1, kill a1
			  end                       | none, leaving a1, at rest`,
	}, {
		name:   "any number of workers drain at the same time",
		policy: Policy{MinUptime: -1},
		text: `
			   0s  size 1               | start a1
			   1s  ready a1             | establish
			   2s  reload               | start a2
			   3s  ready a2             | disconnect a1, complete
			   4s  reload               | start a3
			   5s  ready a3             | disconnect a2, complete
			   6s  reload               | start a4
			   7s  ready a4             | disconnect a3, complete
			  39s  wake                 | terminate a1
			  41s  wake                 | terminate a2
			  43s  wake                 | terminate a3
			  44s  wake                 | kill a1
			  end                       | a4, leaving a1 a2 a3, asks at 46s`,
	}})
}
