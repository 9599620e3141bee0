package reload

import (
	"testing"
	"time"
)

// checkCanaries fails the test if a worker of the next generation is started outside of the canaries' slots
// before each of these has one that has been ready for long enough.
func (w *world) checkCanaries(s Step) {
	w.t.Helper()
	p := w.policy.WithDefaults()
	if s.Generation != w.goal.Next || w.goal.Promoted || s.Slot < p.Canary {
		return
	}
	for slot := range min(p.Canary, w.goal.Workers) {
		if !w.tried(slot, max(p.MinUptime, p.CanaryTime)) {
			w.fail("a start in slot %d before the canary of slot %d was tried", s.Slot, slot)
		}
	}
}

// tried reports whether a worker of the next generation in slot has been ready for d.
func (w *world) tried(slot int, d time.Duration) bool {
	for i := range w.members {
		m := &w.members[i]
		if m.Slot == slot && m.Generation == w.goal.Next && isUp(m) && !m.Ready.IsZero() && w.now.Sub(m.Ready)-w.stood(m) >= d {
			return true
		}
	}
	return false
}

func TestCanary(t *testing.T) {
	p := Policy{Canary: 2, CanaryTime: 10 * time.Second}
	forever := Policy{Canary: 1, CanaryTime: NoLimit}
	begin := `
		0s    size 3                       | start a1, start b1, start c1
		10ms  ready a1, ready b1, ready c1 | establish
		1s    reload                       | start a2, start b2
		1100ms ready a2                    |
		1200ms ready b2                    |
`
	one := `
		0s    size 2             | start a1, start b1
		10ms  ready a1, ready b1 | establish
		1s    reload             | start a2
		1100ms ready a2          |
`
	runTimelines(t, []timeline{{
		name: "canaries serve beside the old workers, and then the rollout goes on", policy: p, text: begin + `
		11100ms wake    | disconnect a1
		11200ms wake    | disconnect b1, start c2
		11300ms ready c2 |
		12300ms wake    | disconnect c1, complete
		12400ms exit a1 | forget a1
		12400ms exit b1 | forget b1
		12400ms exit c1 | forget c1
		end             | a2 b2 c2, at rest`,
	}, {
		name: "one that dies ends it", policy: p, text: begin + `
		9s    crash b2 | abort (b2 died), disconnect a2, forget b2, rolled back
		9s    exit a2  | forget a2
		end            | a1 b1 c1, at rest`,
	}, {
		name: "one that is unwell ends it", policy: p, text: begin + `
		9s    unwell b2 | abort (b2 not well, by its health checks), disconnect a2, disconnect b2, rolled back
		9s    exit a2   | forget a2
		9s    exit b2   | forget b2
		end             | a1 b1 c1, at rest`,
	}, {
		name: "one that says that it is unwell ends it, but for an old worker that does", policy: p, text: begin + `
		8s    report a1 |
		9s    report b2 | abort (b2 says that it is not well: no database), disconnect a2, disconnect b2, rolled back
		9s    exit a2   | forget a2
		9s    exit b2   | forget b2
		end             | a1 b1 c1, at rest`,
	}, {
		name: "they are promoted", policy: p, text: begin + `
		2s    promote  |
		2100ms wake    | disconnect a1
		2200ms wake    | disconnect b1, start c2`,
	}, {
		name: "without a limit they wait for somebody", policy: forever, text: one + `
		100h  promote  | disconnect a1, start b2`,
	}, {
		name: "the reload is aborted", policy: forever, text: one + `
		100h  abort    | abort ( aborted), disconnect a2, rolled back
		100h  exit a2  | forget a2
		end            | a1 b1, at rest`,
	}, {
		name: "more canaries than slots are all of them", policy: Policy{Canary: 9}, text: `
		0s    size 2             | start a1, start b1
		10ms  ready a1, ready b1 | establish
		1s    reload             | start a2, start b2
		2s    ready a2, ready b2 |
		62s   wake               | disconnect a1, disconnect b1, complete`,
	}})
}
