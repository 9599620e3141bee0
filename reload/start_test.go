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
			   5m  ready c1             | establish
			  end                       | a1 b1 c1, at rest`,
	}, {
		name: "one that dies before it was ready ends all",
		text: `
			   0s  size 3               | start a1, start b1, start c1
			 10ms  ready a1             |
			 20ms  crash b1             | fail b1, disconnect a1, forget b1, disconnect c1
			 30ms  exit c1              | forget c1
			 40ms  exit a1              | forget a1, stopped
			  end                       | nobody, at rest`,
	}, {
		name: "two die at once: one failure",
		text: `
			   0s  size 2               | start a1, start b1
			 20ms  crash b1, crash a1   | fail a1, forget a1, forget b1, stopped
			  end                       | nobody, at rest`,
	}, {
		name: "a death after ready is a crash as always",
		text: `
			   0s  size 2               | start a1, start b1
			 10ms  ready a1             |
			 20ms  crash a1             |
			120ms  wake                 | start a1' (1), forget a1
			130ms  ready b1             |
			140ms  ready a1'            | establish
			  end                       | a1' b1, at rest`,
	}, {
		name: "a lost link is a death, even when no exit is seen",
		text: `
			   0s  size 1               | start a1
			 20ms  unlink a1            |
			1.02s  wake                 | fail a1
			  end                       | nobody, leaving a1, asks at 36.02s`,
	}, {
		name: "one that leaves before it was ready has not failed, and does not spin",
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
		name: "nobody is recycled before it is over",
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, recycle a1 |
			   2s  ready b1             | establish, start a1'
			  end                       | a1 a1' b1, asks at 1m2s`,
	}, {
		name: "nobody to start",
		text: `
			   0s  size 0               | establish
			   1s  reload               | complete
			   2s  stop                 | stopped
			   3s  reload               |
			  end                       | nobody, at rest`,
	}})
}
