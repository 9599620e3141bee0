package reload

import (
	"math/rand"
	"testing"
)

// FuzzMaster lets whatever the bytes say happen to a master: its State decides
// which change begins, and Policy.Next what becomes of the workers. The goal that
// the steps make is the goal that the state describes, every step comes in a phase
// where its event can happen, and in the end the master serves or has stopped.
func FuzzMaster(f *testing.F) {
	for seed := range int64(20) {
		data := make([]byte, 20*seed)
		rand.New(rand.NewSource(seed)).Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { playMaster(t, data) })
}

// TestMasters is the fuzz target on random bytes, the same in every run.
func TestMasters(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 60
	}
	data := make([]byte, 300)
	for seed := range seeds {
		random := rand.New(rand.NewSource(int64(seed)))
		random.Read(data)
		playMaster(t, data[:random.Intn(len(data))])
	}
}

func playMaster(t testing.TB, data []byte) {
	h := history{data: data[:min(len(data), 400)]}
	h.world = newWorld(t, h.policy(), h.pick(6))
	m := &master{history: h}
	m.world.onStep = m.carriedOut
	m.ask(ChangeStart)
	if m.pick(2) == 0 {
		m.event(EventFollowing)
	}
	for len(m.data) > 0 && m.runs() {
		m.anything()
		m.reconcile()
	}
	m.comeToRest()
}

// master is a world whose goal follows a State.
type master struct {
	history
	state State
}

func (m *master) runs() bool {
	return m.state.Phase().Running() || m.state.Phase().Stopping()
}

// anything is a change that is asked for, an event of the master, or one of a
// worker.
func (m *master) anything() {
	switch m.pick(10) {
	case 0:
		m.ask(ChangeReload)
	case 1:
		m.ask(ChangeUpgrade)
	case 2:
		m.event(Event(1 + m.pick(int(EventWorkersGone))))
	case 3, 4:
		m.succeed()
	case 5:
		if m.pick(16) == 0 {
			m.ask(ChangeStop)
		}
	case 6:
		m.live()
	default:
		m.worker()
	}
}

// worker is what may happen to one, or to the number of them.
func (m *master) worker() {
	before := m.goal
	m.happen()
	if m.goal.Stop && !before.Stop {
		m.goal = before
		m.ask(ChangeStop)
	}
	m.goal.Next, m.goal.Superseded = before.Next, before.Superseded // reloads are asked for
}

func (m *master) ask(c Change) {
	m.state, _ = m.crowd().Begin(c)
	m.goal = m.follow()
}

// event lets e happen if it isn't the policy's to say so.
func (m *master) event(e Event) {
	for a := range upTo(Start, Stopped) {
		if of, _ := a.Event(); of == e {
			return
		}
	}
	var ok bool
	before := m.state
	if m.state, ok = m.state.On(e); ok && before.Phase() != m.state.Phase() && m.state.Phase() == PhaseRollingOut {
		m.reload()
	}
	m.goal = m.follow()
}

// crowd returns the state with what it has to know of the workers.
func (m *master) crowd() State {
	return m.state.SetCrowded(m.world.policy.Crowded(m.goal.Workers, rotaOf(m.goal, m.members).Draining()))
}

// follow returns the goal as the state has it.
func (m *master) follow() Goal { return m.state.Goal(m.goal) }

// carriedOut is called for every step before the world carries it out.
func (m *master) carriedOut(s *Step) {
	e, ok := s.Do.Event()
	if !ok {
		return
	}
	if m.state, ok = m.state.On(e); !ok {
		m.fail("%v: %v can't happen", m.state, e)
	}
}

// reconcile begins what waits and asks the policy until there is no more to do.
func (m *master) reconcile() {
	m.t.Helper()
	for {
		m.state = m.crowd()
		for c, ok := m.state.NextChange(); ok; c, ok = m.state.NextChange() {
			m.ask(c)
		}
		if m.state.Phase() == PhasePreparing || !m.runs() {
			return
		}
		before := m.state
		m.world.reconcile()
		m.checkGoal()
		m.goal = m.follow()
		if m.state == before {
			return
		}
	}
}

// checkGoal compares what the steps have made of the goal with the state. In a
// stop, only the stop counts.
func (m *master) checkGoal() {
	m.t.Helper()
	got, want := m.goal, m.follow()
	want.Unproven = want.Unproven && got.Unproven // no step says so
	if got.Stop {
		want.Established, want.Next, want.RollingBack = got.Established, got.Next, got.RollingBack
		want.Superseded = got.Superseded
		want.Stop = want.Stop || want.Stopped
	}
	if got != want {
		m.fail("%v: the goal should be %+v", m.state, want)
	}
}

// comeToRest lets workers behave and everything succeed but upgrades.
func (m *master) comeToRest() {
	m.resume()
	m.t.Helper()
	m.world.policy.MaxAge = 0
	for range 40 + 20*m.goal.Workers {
		m.reconcile()
		if m.rests() {
			return
		}
		m.succeed()
		m.live()
	}
	m.fail("%v: never comes to rest", m.state)
}

// succeed lets what the master waits for come out well. Only upgrades fail: a
// successor would end the history.
func (m *master) succeed() {
	for _, e := range []Event{
		EventPrepared, EventTrialPassed, EventTakenOver, EventPredecessorGone, EventUpgradeFailed,
	} {
		m.event(e)
	}
}

// live lets the workers behave, or time pass.
func (m *master) live() {
	if m.runs() && m.state.Phase() != PhasePreparing && !m.behave() && !m.wake.IsZero() {
		m.now = m.wake
	}
}

// rests reports whether the master serves and nothing is left to do, or has ended.
func (m *master) rests() bool {
	if !m.runs() {
		return len(m.members) == 0 && !m.state.Waiting(ChangeReload) && !m.state.Waiting(ChangeUpgrade)
	}
	rest := State{phase: PhaseServing, unproven: m.state.unproven, crowded: m.state.crowded} // by workers that never end
	return m.state == rest && m.unserved(m.goal.Generation) == 0
}
