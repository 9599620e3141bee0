package reload

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
	"time"
)

// FuzzHistory makes events of the bytes and checks every step (see world). Then it
// lets the workers become ready and exit as they should: the rota must come to rest,
// every slot served by one worker of one generation.
func FuzzHistory(f *testing.F) {
	for seed := range int64(20) {
		data := make([]byte, 20*seed)
		rand.New(rand.NewSource(seed)).Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		playHistory(t, data)
	})
}

// TestHistories is the fuzz target on random bytes, the same in every run.
func TestHistories(t *testing.T) {
	n := 500
	if testing.Short() {
		n = 100
	}
	data := make([]byte, 300)
	for seed := range n {
		random := rand.New(rand.NewSource(int64(seed)))
		random.Read(data)
		playHistory(t, data[:random.Intn(len(data))])
	}
}

func playHistory(t testing.TB, data []byte) *world {
	const most = 400
	h := history{data: data[:min(len(data), most)]}
	w := newWorld(t, h.policy(), h.pick(6))
	h.world = w
	w.reconcile()
	for len(h.data) > 0 {
		h.happen()
		w.reconcile()
	}
	w.comeToRest()
	return w
}

// history turns bytes into events.
type history struct {
	*world
	data []byte
}

func (h *history) pick(n int) int {
	if len(h.data) == 0 {
		return 0
	}
	b := h.data[0]
	h.data = h.data[1:]
	return int(b) % n
}

func (h *history) policy() Policy {
	return Policy{
		Surge:        h.pick(4),
		MinUptime:    []time.Duration{0, -1, 3 * time.Second}[h.pick(3)],
		ReadyTimeout: []time.Duration{0, NoLimit, 5 * time.Second}[h.pick(3)],
		Grace:        []time.Duration{0, -1, NoLimit}[h.pick(3)],
		StopGrace:    []time.Duration{0, -1, 20 * time.Second, NoLimit}[h.pick(4)],
		KillAfter:    []time.Duration{0, -1}[h.pick(2)],
		MinBackoff:   []time.Duration{0, -1}[h.pick(2)],
		healed:       []time.Duration{0, -1}[h.pick(2)],
		MaxAge:       []time.Duration{0, 10 * time.Second}[h.pick(2)],
		MaxDraining:  []int{0, 1, math.MaxInt}[h.pick(3)],
		Canary:       []int{0, 0, 1, 2, 9}[h.pick(5)],
		CanaryTime:   []time.Duration{0, 4 * time.Second, 20 * time.Second}[h.pick(3)],
	}
}

// happen makes one event. Common events have several numbers.
func (h *history) happen() {
	switch h.pick(27) {
	case 25:
		h.pause()
	case 26:
		h.resume()
	case 22:
		h.goal.Promoted = true
	case 23:
		h.goal.Aborted = h.pick(4) == 0
	case 24:
		h.one(isUp, func(m *Member) {
			m.Fault = []error{nil, nil, ErrUnwell, fmt.Errorf("%w: no database", ErrReported)}[h.pick(4)]
		})
	case 20:
		h.one(func(m *Member) bool { return isUp(m) && !m.Ready.IsZero() }, func(m *Member) { m.Asked = h.now })
	case 21:
		h.one(isUp, func(m *Member) { m.Asked = time.Time{} })
	case 0, 1, 2, 3, 4:
		h.one(func(m *Member) bool { return isUp(m) && m.Ready.IsZero() }, func(m *Member) { m.Ready = h.now })
	case 5, 6:
		h.one(isAlive, h.exit)
	case 7:
		h.one(isAlive, func(m *Member) { m.Unlinked = h.now })
	case 8:
		h.one(isUp, h.leave)
	case 9:
		h.one(isUp, func(m *Member) { h.leave(m); m.Retired = true })
	case 10:
		h.one(isUp, func(m *Member) { m.Voluntary, m.Retired = true, true })
	case 11:
		h.one(isUp, func(m *Member) { m.Recycle = true })
	case 12, 13:
		h.maybeReload()
	case 14:
		h.goal.Workers = h.pick(6)
	case 15:
		h.maybeStop()
	case 16, 17:
		h.now = h.now.Add(time.Duration(1+h.pick(40)) * 100 * time.Millisecond)
	default:
		if !h.wake.IsZero() {
			h.now = h.wake
		}
	}
}

// maybeReload sets the next generation when the last rollout is over or has failed, as
// the master does, and sometimes earlier.
func (h *history) maybeReload() {
	if h.goal.Next == 0 || h.pick(8) == 0 {
		h.reload()
	} else {
		h.goal.Superseded = true
	}
}

// maybeStop rarely stops, so that most histories go on.
func (h *history) maybeStop() {
	switch h.pick(16) {
	case 0:
		h.goal.Stop, h.goal.Hurry = true, h.goal.Stop
	case 1:
		h.goal.Stop, h.goal.Kill = true, true
	}
}

func isAlive(m *Member) bool { return m.Exited.IsZero() }

// one calls event for one of the members for which can is true.
func (h *history) one(can func(*Member) bool, event func(*Member)) {
	var those []*Member
	for i := range h.members {
		if m := &h.members[i]; can(m) {
			those = append(those, m)
		}
	}
	if len(those) > 0 {
		event(those[h.pick(len(those))])
	}
}

// comeToRest lets workers become ready, exit when they are told to, and time pass. It
// fails the test if the rota has not come to rest after a number of rounds that
// depends on its size alone.
func (w *world) comeToRest() {
	w.t.Helper()
	w.policy.MaxAge = 0
	w.resume()
	w.reconcile()
	for range 20 + 10*w.goal.Workers {
		if !w.behave() {
			if w.wake.IsZero() {
				w.checkRest()
				return
			}
			w.now = w.wake
		}
		w.reconcile()
	}
	w.fail("never comes to rest")
}

// behave lets starting workers become ready and leaving ones exit. It reports whether
// there was any.
func (w *world) behave() (happened bool) {
	for i := range w.members {
		switch m := &w.members[i]; {
		case !m.Exited.IsZero():
			continue
		case !isUp(m):
			w.exit(m)
		case m.Voluntary:
			w.leave(m)
		case m.Ready.IsZero():
			m.Ready = w.now
		default:
			continue
		}
		happened = true
	}
	return happened
}

func (w *world) checkRest() {
	w.t.Helper()
	switch g := w.goal; {
	case g.Stop:
		if !g.Stopped || len(w.members) > 0 {
			w.fail("stop is not over")
		}
	case !g.Established || g.Next != 0 || g.RollingBack:
		w.fail("not at rest")
	case w.unserved(g.Generation) > 0:
		w.fail("%d slots not served as they should", w.unserved(g.Generation))
	}
}
