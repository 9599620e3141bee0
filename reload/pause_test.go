package reload

import (
	"testing"
	"time"
)

// pause is a pause of a rollout; to is zero while it lasts.
type pause struct{ from, to time.Time }

func (w *world) pause() {
	if w.goal.Next == 0 {
		return
	}
	w.goal = w.goal.Pause(w.now)
	if n := len(w.pauses); n == 0 || !w.pauses[n-1].to.IsZero() {
		w.pauses = append(w.pauses, pause{from: w.now})
	}
}

func (w *world) resume() {
	var all []*Member
	for i := range w.members {
		all = append(all, &w.members[i])
	}
	w.goal = w.goal.Resume(all, w.now)
	if n := len(w.pauses); n > 0 && w.pauses[n-1].to.IsZero() {
		w.pauses[n-1].to = w.now
	}
}

// stood returns for how long the rollout has stood still since m was ready.
func (w *world) stood(m *Member) (sum time.Duration) {
	for _, p := range w.pauses {
		from, to := p.from, p.to
		if to.IsZero() {
			to = w.now
		}
		if from.Before(m.Ready) {
			from = m.Ready
		}
		sum += max(to.Sub(from), 0)
	}
	return sum
}

// servedByOld reports of each slot whether a worker that is not of the next generation serves it.
func (w *world) servedByOld() []bool {
	slots := make([]bool, w.goal.Workers)
	for i := range w.members {
		if m := &w.members[i]; m.Slot < len(slots) && isUp(m) && !m.Ready.IsZero() && m.Generation != w.goal.Next {
			slots[m.Slot] = true
		}
	}
	return slots
}

// checkPaused fails the test if the steps of a pause have ended the last old worker of a slot.
func (w *world) checkPaused(before []bool) {
	w.t.Helper()
	if !w.goal.IsPaused() {
		return
	}
	for n, is := range w.servedByOld() {
		if before[n] && !is {
			w.fail("slot %d has lost its old worker in a pause: %v", n, w.steps)
		}
	}
}

func TestPause(t *testing.T) {
	p := Policy{Canary: 1, CanaryTime: 10 * time.Second}
	begin := `
		0s    size 2             | start a1, start b1
		10ms  ready a1, ready b1 | establish
		1s    reload             | start a2
	`
	tried := begin + `
		2s    ready a2 |
	`
	runTimelines(t, []timeline{{
		name: "the time of the canary stands still", policy: p, text: tried + `
		8s    pause    |
		1h    resume   |
		1h4s  wake     | disconnect a1, start b2`,
	}, {
		name: "a canary that is ready in the pause has all of its time left", policy: p, text: begin + `
		2s    pause    |
		5s    ready a2 |
		1h    resume   |
		1h10s wake     | disconnect a1, start b2`,
	}, {
		name: "two pauses", policy: p, text: tried + `
		3s    pause    |
		13s   resume   |
		15s   pause    |
		15s   pause    |
		25s   resume   |
		32s   wake     | disconnect a1, start b2`,
	}, {
		name: "no slot begins, and none is finished", policy: Policy{}, text: begin + `
		2s    ready a2 |
		3s    wake     | disconnect a1, start b2
		3100ms pause   |
		4s    exit a1  | forget a1
		4s    ready b2 |
		1h    promote  |
		2h    resume   |
		2h1s  wake     | disconnect b1, complete`,
	}, {
		name: "a promoted canary waits for the end of the pause", policy: p, text: tried + `
		4s    pause    |
		5s    promote  |
		6s    resume   | disconnect a1, start b2`,
	}, {
		name: "a canary that dies ends it", policy: p, text: tried + `
		8s    pause    |
		9s    crash a2 | abort (a2 died), rolled back, forget a2
		end            | a1 b1, at rest`,
	}, {
		name: "an abort ends it, and the next reload isn't paused", policy: p, text: tried + `
		8s    pause    |
		9s    abort    | abort ( aborted), disconnect a2, rolled back
		9s    exit a2  | forget a2
		10s   reload   | start a3
		11s   ready a3 |
		21s   wake     | disconnect a1, start b3`,
	}, {
		name: "a new worker that leaves is replaced by an old one", policy: Policy{}, text: begin + `
		2s    ready a2 |
		3s    wake     | disconnect a1, start b2
		3s    exit a1  | forget a1
		5s    ready b2 |
		5500ms pause   |
		21s   leave a2 | start a1'
		22s   ready a1' |
		23s   exit a2  | forget a2
		1h    resume   |
		1h500ms wake   | disconnect b1, start a2'`,
	}})
}
