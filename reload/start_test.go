package reload

import (
	"testing"
)

func TestFirstStart(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "all at once, established when all are ready",
		text: `
			   0s  size 3               | start a1, start b1, start c1
			 10ms  ready b1             |
			 20ms  ready a1             |
			   1m  wake                 | late c1
			   5m  ready c1             | establish
			  end                       | a1 b1 c1, at rest`,
	}, {
		name: "a worker that dies before it is ready fails the start",
		text: `
			   0s  size 3               | start a1, start b1, start c1
			 10ms  ready a1             |
			 20ms  crash b1             | fail b1, disconnect a1, forget b1, disconnect c1
			 30ms  exit c1              | forget c1
			 40ms  exit a1              | forget a1, stopped
			  end                       | none, at rest`,
	}, {
		name: "two die at once: one failure",
		text: `
			   0s  size 2               | start a1, start b1
			 20ms  crash b1, crash a1   | fail a1, forget a1, forget b1, stopped
			  end                       | none, at rest`,
	}, {
		name: "a worker that dies after it was ready is started again",
		text: `
			   0s  size 2               | start a1, start b1
			 10ms  ready a1             |
			 20ms  crash a1             |
			120ms  wake                 | start a1' (1), forget a1
			130ms  ready b1             |
			140ms  ready a1'            | establish
			  end                       | a1' b1, at rest`,
	}, {
		name: "three workers in a row that die as soon as they are ready fail the start, though it was over",
		text: `
			   0s  size 1, unproven     | start a1
			 10ms  ready a1             | establish
			 12ms  crash a1             |
			112ms  wake                 | start a1' (1), forget a1
			120ms  ready a1'            |
			122ms  crash a1'            |
			272ms  wake                 | start a1'' (2), forget a1'
			280ms  ready a1''           |
			282ms  crash a1''           | fail a1'', forget a1'', stopped
			  end                       | none, at rest`,
	}, {
		name: "if none serves",
		text: `
			   0s  size 2, unproven     | start a1, start b1
			 10ms  ready a1, ready b1   | establish
			 12ms  crash a1             |
			112ms  wake                 | start a1' (1), forget a1
			120ms  ready a1'            |
			122ms  crash a1'            |
			272ms  wake                 | start a1'' (2), forget a1'
			280ms  ready a1''           |
			282ms  crash a1''           |
			300ms  crash b1             | fail a1'', forget a1'', forget b1, stopped
			  end                       | none, at rest`,
	}, {
		name: "but not if one has lived for MinUptime",
		text: `
			   0s  size 2, unproven     | start a1, start b1
			 10ms  ready a1, ready b1   | establish
			950ms  crash a1             |
			1.01s  wake                 | prove
			1.05s  wake                 | start a1' (1), forget a1
			1.06s  ready a1', crash a1' |
			1.21s  wake                 | start a1'' (2), forget a1'
			1.22s  ready a1'', crash a1'' |
		   1.445s  wake                 | start a1''' (3), forget a1''
			  end                       | a1''' b1, asks at 1m1.445s`,
	}, {
		name: "and not if they leave",
		text: `
			   0s  size 1, unproven     | start a1
			 10ms  ready a1             | establish
			 20ms  leave a1             |
			120ms  wake                 | start a1' (1)
			130ms  ready a1'            |
			140ms  leave a1'            |
			290ms  wake                 | start a1'' (2)
			300ms  ready a1''           |
			310ms  leave a1''           |
			535ms  wake                 | start a1''' (3)
			540ms  ready a1'''          |
			1.54s  wake                 | prove
			  end                       | a1''', leaving a1 a1' a1'', asks at 36.02s`,
	}, {
		name: "a closed link is a death, even if no exit follows",
		text: `
			   0s  size 1               | start a1
			 20ms  unlink a1            |
			1.02s  wake                 | fail a1
			  end                       | none, leaving a1, asks at 36.02s`,
	}, {
		name: "a worker that leaves before it is ready has not failed, and is started again after the back-off",
		text: `
			   0s  size 1               | start a1
			 20ms  leave a1             |
			 30ms  exit a1              |
			120ms  wake                 | start a1' (1), forget a1
			130ms  ready a1'            | establish
			  end                       | a1', at rest`,
	}, {
		name: "a slot whose worker was retired is not waited for",
		text: `
			   0s  size 2               | start a1, start b1
			 20ms  retire a1            |
			 30ms  ready b1             | establish
			 40ms  exit a1              |
			  end                       | b1, dead a1, at rest`,
	}, {
		name: "a reload asked for too early waits",
		text: `
			   0s  size 1, reload       | start a1
			 30ms  ready a1             | establish, start a2
			 40ms  ready a2             |
			1.04s  wake                 | disconnect a1, complete
			  end                       | a2, leaving a1, asks at 37.04s`,
	}, {
		name: "no worker is recycled before the start is over",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, recycle a1 |
			   2s  ready b1             | establish, start a1'
			  end                       | a1 a1' b1, asks at 1m2s`,
	}, {
		name: "no workers",
		text: `
			   0s  size 0               | establish
			   1s  reload               | complete
			   2s  stop                 | stopped
			   3s  reload               |
			  end                       | none, at rest`,
	}})
}
