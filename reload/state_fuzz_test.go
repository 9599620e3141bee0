package reload

import (
	"math/rand"
	"testing"
)

// FuzzState asks for changes and lets events happen in any order. At every moment
// at most one change is under way, and at the end every change that waited has
// begun or was refused.
func FuzzState(f *testing.F) {
	for seed := range int64(20) {
		data := make([]byte, 10*seed)
		rand.New(rand.NewSource(seed)).Read(data)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { playAnything(t, data) })
}

// TestStateAnyOrder is the fuzz target on random bytes, the same in every run.
func TestStateAnyOrder(t *testing.T) {
	data := make([]byte, 200)
	for seed := range 2000 {
		random := rand.New(rand.NewSource(int64(seed)))
		random.Read(data)
		playAnything(t, data[:random.Intn(len(data))])
	}
}

func playAnything(t testing.TB, data []byte) {
	m := &stateModel{t: t, underway: map[Change]bool{}}
	for _, b := range data {
		switch n := int(b) % (numberOfChanges + int(EventWorkersGone) + 3); {
		case n < numberOfChanges:
			m.ask(Change(n + 1))
		case n < numberOfChanges+int(EventWorkersGone):
			m.happen(Event(n - numberOfChanges + 1))
		case n == numberOfChanges+int(EventWorkersGone):
			m.leave()
		default:
			m.s = m.s.SetCrowded(n%2 == 0)
		}
		m.beginNext()
		m.check()
	}
	succeeds := *m
	succeeds.underway = map[Change]bool{}
	for c := range m.underway {
		succeeds.underway[c] = true
	}
	succeeds.finish()
	m.stop()
}

// stateModel keeps a record of its own of what is under way.
type stateModel struct {
	t        testing.TB
	s        State
	underway map[Change]bool
}

func (m *stateModel) ask(c Change) {
	m.t.Helper()
	before, answer := m.s, Answer(0)
	if m.s, answer = m.s.Begin(c); answer != before.CanBegin(c) {
		m.t.Fatalf("%v: Begin(%v) answers %v, CanBegin %v", before, c, answer, before.CanBegin(c))
	}
	switch {
	case answer == Begins && c != ChangeScale:
		m.underway[c] = true
	case answer == Waits && !m.s.Waiting(c):
		m.t.Fatalf("%v: %v is to wait and does not: %v", before, c, m.s)
	case answer.Refused() && m.s != before:
		m.t.Fatalf("%v: %v was refused and has changed the state: %v", before, c, m.s)
	}
}

// leave has the master leave: no reload and no upgrade may begin.
func (m *stateModel) leave() {
	m.t.Helper()
	m.s = m.s.Leave()
	if !m.s.Phase().Running() {
		return
	}
	for _, c := range []Change{ChangeReload, ChangeUpgrade} {
		if answer := m.s.CanBegin(c); answer != Ending {
			m.t.Fatalf("%v: %v of a master that leaves: %v", m.s, c, answer)
		}
	}
}

// happen lets e happen, and ends the changes that it ends.
func (m *stateModel) happen(e Event) {
	m.t.Helper()
	before, ok := m.s, false
	if m.s, ok = m.s.On(e); !ok {
		if m.s != before {
			m.t.Fatalf("%v: %v can't happen and has changed the state: %v", before, e, m.s)
		}
		return
	}
	switch e {
	case EventEstablished, EventTakenOver:
		if !m.s.Following() {
			delete(m.underway, ChangeStart)
		}
	case EventPrepareFailed, EventCompleted, EventAborted:
		delete(m.underway, ChangeReload)
	case EventUpgraded, EventUpgradeFailed:
		delete(m.underway, ChangeUpgrade)
	}
	if m.s.Phase().Stopping() || m.over() { // a stop ends these
		delete(m.underway, ChangeStart)
		delete(m.underway, ChangeReload)
	}
	if m.over() {
		clear(m.underway)
	}
}

func (m *stateModel) over() bool { return m.s.Phase() == PhaseIdle || m.s.Phase() == PhaseClosed }

func (m *stateModel) beginNext() {
	m.t.Helper()
	for range 3 {
		c, ok := m.s.NextChange()
		if !ok {
			return
		}
		if !m.s.Waiting(c) || m.s.CanBegin(c) != Begins {
			m.t.Fatalf("%v: %v is next and may not begin", m.s, c)
		}
		m.ask(c)
	}
	m.t.Fatalf("%v: changes begin without an end", m.s)
}

func (m *stateModel) check() {
	m.t.Helper()
	n := 0
	for _, c := range []Change{ChangeStart, ChangeReload, ChangeUpgrade} {
		if m.underway[c] && m.s.Phase().Running() {
			n++
		}
	}
	switch p := m.s.Phase(); {
	case n > 1:
		m.t.Fatalf("%v: under way are %v", m.s, m.underway)
	case !p.Running() && m.s.Waiting(ChangeUpgrade):
		m.t.Fatalf("%v: an upgrade waits", m.s)
	case m.over() && (m.s.Waiting(ChangeReload) || m.s.Following()):
		m.t.Fatalf("%v: something is left of a Run that has ended", m.s)
	case p == PhaseServing && m.s.Waiting(ChangeReload) && !m.s.crowded && !m.s.leaving:
		m.t.Fatalf("%v: a reload waits for nothing", m.s)
	case p.Stopping() && m.s.CanBegin(ChangeReload) != Ending:
		m.t.Fatalf("%v: a reload is not refused", m.s)
	}
}

// finish lets everything that is under way end, with no stop: what waits begins.
func (m *stateModel) finish() {
	m.t.Helper()
	m.s = m.s.SetCrowded(false)
	good := []Event{
		EventPrepared, EventEstablished, EventProven, EventTrialPassed, EventTakenOver, EventCompleted, EventRolledBack,
		EventPredecessorGone, EventUpgradeFailed, EventWorkersGone,
	}
	for range 8 {
		for _, e := range good {
			m.happen(e)
			m.beginNext()
			m.check()
		}
	}
	rest := State{phase: PhaseServing, closing: m.s.closing, leaving: m.s.leaving}
	rest.reload = rest.leaving && m.s.reload // the stop ends it
	if !m.over() && m.s != rest {
		m.t.Fatalf("%v: never comes to rest", m.s)
	}
}

// stop ends Run from wherever it is.
func (m *stateModel) stop() {
	m.t.Helper()
	running := m.s.Phase().Running()
	m.ask(ChangeStop)
	if running && !m.s.Phase().Stopping() {
		m.t.Fatalf("%v: told to stop, and does not", m.s)
	}
	for _, e := range []Event{EventWorkersGone, EventUpgradeFailed} {
		m.beginNext()
		m.happen(e)
		m.check()
	}
	if !m.over() {
		m.t.Fatalf("%v: told to stop, and never ends", m.s)
	}
}
