package reload

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// world stands in for the master. It carries out the steps and fails the test if one
// breaks what its Action promises.
type world struct {
	t       testing.TB
	policy  Policy
	goal    Goal
	members []Member
	index   map[int]int     // of members, by id
	rota    *Rota           // of copies of the members, told of each change
	copies  map[int]*Member // of rota, by id
	begin   time.Time
	now     time.Time
	wake    time.Time
	lastID  int
	newest  int     // the newest generation so far
	pauses  []pause // of the rollout

	steps  []Step      // of the last reconcile
	onStep func(*Step) // called for every step before it is carried out
	quick  bool        // leave out the checks that cost as much as Next itself

	// The extremes so far, once established.
	minReady int // served slots
	maxUp    int // members alive and not draining
	maxSteps int // of one Next
	rounds   int // Nexts in one reconcile
	calls    int // of Next
}

func newWorld(t testing.TB, p Policy, workers int) *world {
	begin := time.Unix(1e9, 0)
	return &world{
		t: t, policy: p, index: map[int]int{}, rota: NewRota(0), copies: map[int]*Member{}, begin: begin, now: begin, newest: 1,
		goal: Goal{Workers: workers, Generation: 1}, minReady: workers,
	}
}

// reconcile asks Next and carries out its steps until there are none.
func (w *world) reconcile() {
	w.t.Helper()
	w.steps = w.steps[:0]
	for round := 1; ; round++ {
		steps := w.ask()
		if len(steps) == 0 {
			break
		}
		if round > 8 {
			w.fail("after 8 rounds there are still steps: %v", steps)
		}
		w.rounds = max(w.rounds, round)
		w.carryOut(steps)
	}
	if !w.wake.IsZero() && !w.wake.After(w.now) {
		w.fail("wake %v is not in the future", w.wake.Sub(w.begin))
	}
	if !w.quick {
		w.checkWake()
	}
	if n := w.dead(); n > 2*w.goal.Workers {
		w.fail("%d dead members are kept", n)
	}
}

func (w *world) ask() []Step {
	w.t.Helper()
	w.calls++
	if w.quick {
		var steps []Step
		steps, w.wake = w.policy.Next(w.goal, w.members, w.now)
		return steps
	}
	w.tell()
	kept, keptWake := w.rota.Next(w.policy, w.goal, w.now)
	before := slices.Clone(w.members)
	steps, wake := w.policy.Next(w.goal, w.members, w.now)
	if !slices.Equal(steps, kept) || !wake.Equal(keptWake) {
		w.fail("a rota that was told of each change says %v, wake %v, want %v, wake %v", kept, keptWake, steps, wake)
	}
	if !w.goal.Stopped { // then Next looks at nothing
		w.checkCounts()
	}
	if !slices.Equal(before, w.members) {
		w.fail("Next has changed its arguments:\n%s", cmp.Diff(before, w.members))
	}
	rand.New(rand.NewSource(int64(len(before)))).Shuffle(len(before), func(i, j int) {
		before[i], before[j] = before[j], before[i]
	})
	again, wakeAgain := w.policy.WithDefaults().Next(w.goal, before, w.now)
	if !slices.Equal(steps, again) || !wake.Equal(wakeAgain) {
		w.fail("Next depends on the order of members: %v, wake %v; %v, wake %v", steps, wake, again, wakeAgain)
	}
	w.checkForget(steps)
	w.wake = wake
	return steps
}

// tell tells the rota what has changed.
func (w *world) tell() {
	for i := range w.members {
		m := &w.members[i]
		switch o := w.copies[m.ID]; {
		case o == nil:
			o = &Member{}
			*o, w.copies[m.ID] = *m, o
			w.rota.Add(o)
		case *o != *m:
			*o = *m
			w.rota.Changed(o)
		}
	}
	for id, o := range w.copies {
		if _, ok := w.index[id]; !ok {
			w.rota.Remove(o)
			delete(w.copies, id)
		}
	}
}

// checkCounts compares what the rota has counted with the members.
func (w *world) checkCounts() {
	w.t.Helper()
	starting, ready, leaving, draining := 0, 0, 0, 0
	for i := range w.members {
		switch m := &w.members[i]; {
		case !m.Exited.IsZero():
		case !isUp(m):
			leaving++
			if !m.Draining.IsZero() {
				draining++
			}
		case m.Ready.IsZero():
			starting++
		default:
			ready++
		}
	}
	slots := 0
	for _, is := range w.served() {
		if is {
			slots++
		}
	}
	s, r, l := w.rota.Count()
	if s != starting || r != ready || l != leaving || w.rota.Draining() != draining || w.rota.Served() != slots {
		w.fail("the rota counts %d starting, %d ready, %d leaving, %d draining, %d slots; want %d, %d, %d, %d, %d",
			s, r, l, w.rota.Draining(), w.rota.Served(), starting, ready, leaving, draining, slots)
	}
	if steady := slots == w.goal.Workers && starting+leaving == 0; w.rota.IsSteady(w.goal.Workers) != steady {
		w.fail("IsSteady isn't %t", steady)
	}
}

// checkForget fails the test if the members to forget change the other steps.
func (w *world) checkForget(steps []Step) {
	w.t.Helper()
	forgotten := map[int]bool{}
	var rest []Step
	for _, s := range steps {
		if s.Do == Forget {
			forgotten[s.ID] = true
		} else {
			rest = append(rest, s)
		}
	}
	kept := slices.DeleteFunc(slices.Clone(w.members), func(m Member) bool { return forgotten[m.ID] })
	without, _ := w.policy.Next(w.goal, kept, w.now)
	if !slices.Equal(rest, without) {
		w.fail("the forgotten members are needed: with them %v, without them %v", rest, without)
	}
}

// checkWake fails the test if there is anything to do before the wake time.
func (w *world) checkWake() {
	w.t.Helper()
	before := w.now.Add(1000 * time.Hour)
	if !w.wake.IsZero() {
		before = w.wake.Add(-1)
	}
	if steps, _ := w.policy.Next(w.goal, w.members, before); len(steps) > 0 {
		w.fail("wake %v comes too late: %v at %v", w.wake.Sub(w.begin), steps, before.Sub(w.begin))
	}
}

func (w *world) carryOut(steps []Step) {
	w.t.Helper()
	served, old := w.served(), w.servedByOld()
	for i := range steps {
		if w.onStep != nil {
			w.onStep(&steps[i])
		}
		w.carryOutOne(steps[i])
		w.steps = append(w.steps, steps[i])
	}
	if !w.goal.Stop {
		w.checkServed(served)
		w.checkPaused(old)
	}
	up := w.up()
	w.maxUp = max(w.maxUp, up)
	w.maxSteps = max(w.maxSteps, len(steps))
	if up > w.goal.Workers+max(w.policy.Surge, w.policy.Canary, 1) {
		w.fail("%d alive and not draining", up)
	}
}

func (w *world) carryOutOne(s Step) {
	w.t.Helper()
	switch s.Do {
	case Start:
		w.start(s)
	case Establish, Fail, Prove, Complete, Abort, RolledBack, Stopped:
		w.changeGoal(s)
	default:
		w.changeMember(s)
	}
}

func (w *world) start(s Step) {
	w.t.Helper()
	switch {
	case w.goal.Stop:
		w.fail("a start while stopping")
	case s.Slot < 0 || s.Slot >= w.goal.Workers:
		w.fail("a start in slot %d", s.Slot)
	case s.Generation != w.goal.Generation && s.Generation != w.goal.Next:
		w.fail("a start of generation %d", s.Generation)
	}
	w.checkCanaries(s)
	if w.goal.IsPaused() && s.Generation == w.goal.Next {
		w.fail("a start of the new generation in a pause")
	}
	w.lastID++
	w.index[w.lastID] = len(w.members)
	w.members = append(w.members, Member{
		ID: w.lastID, Slot: s.Slot, Generation: s.Generation, Crashes: s.Crashes, Started: w.now,
	})
}

func (w *world) changeMember(s Step) {
	w.t.Helper()
	i, ok := w.index[s.ID]
	if !ok {
		w.fail("%v of %d, which is not a member", s.Do, s.ID)
	}
	m := &w.members[i]
	if (s.Do == Forget) == m.Exited.IsZero() {
		w.fail("%v of a member that is not in a state for it: %+v", s.Do, *m)
	}
	switch s.Do {
	case Forget:
		w.forget(i)
	case Disconnect:
		w.once(s, m, &m.Draining)
		m.Voluntary, m.Dismissed = true, true
		m.Due = w.now.Add(s.Within)
	case Hurry:
		due := w.now.Add(s.Within)
		if !m.Due.IsZero() && !due.Before(m.Due) {
			w.fail("%v gives more time: %+v", s.Do, *m)
		}
		m.Due = due
	case Terminate:
		w.once(s, m, &m.Termed)
	case Kill:
		w.once(s, m, &m.Killed)
	case Late:
		w.once(s, m, &m.Late)
	default:
		w.fail("step %+v", s)
	}
}

// forget puts the last member into the gap, as the order does not matter.
func (w *world) forget(i int) {
	last := len(w.members) - 1
	delete(w.index, w.members[i].ID)
	if i != last {
		w.members[i] = w.members[last]
		w.index[w.members[i].ID] = i
	}
	w.members = w.members[:last]
}

func (w *world) once(s Step, m *Member, at *time.Time) {
	w.t.Helper()
	if !at.IsZero() {
		w.fail("%v twice: %+v", s.Do, *m)
	}
	*at = w.now
}

// changeGoal changes the goal, and fails the test if the step is not true.
func (w *world) changeGoal(s Step) {
	w.t.Helper()
	g := &w.goal
	switch s.Do {
	case Establish:
		w.expect(!g.Established && w.unserved(g.Generation) == 0, s)
		g.Established = true
	case Fail:
		w.expect((!g.Established || g.Unproven) && !g.Stop, s)
		g.Stop, g.Unproven = true, false
	case Prove:
		w.expect(g.Established && g.Unproven, s)
		g.Unproven = false
	case Complete:
		w.expect(g.Next != 0 && w.unserved(g.Next) == 0 && g.Paused.IsZero(), s)
		g.Generation, g.Next, g.RollingBack, g.Superseded = g.Next, 0, false, false
	case Abort:
		w.expect(g.Next != 0 && s.Err != nil, s)
		g.Next, g.RollingBack, g.Superseded = 0, true, false
	case RolledBack:
		w.expect(g.Next == 0 && g.RollingBack && w.unserved(g.Generation) == 0, s)
		g.RollingBack = false
	case Stopped:
		w.expect(g.Stop && len(w.members) == 0, s)
		g.Stopped = true
	}
}

func (w *world) expect(ok bool, s Step) {
	w.t.Helper()
	if !ok {
		w.fail("%v at the wrong time", s.Do)
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%v: %s\ngoal %+v\n%s", w.now.Sub(w.begin), fmt.Sprintf(format, args...), w.goal, w.describe())
}

func (w *world) describe() string {
	var b strings.Builder
	for _, m := range w.members[:min(len(w.members), 20)] {
		fmt.Fprintf(&b, "%d slot %d g%d crashes %d", m.ID, m.Slot, m.Generation, m.Crashes)
		for _, at := range []struct {
			what string
			t    time.Time
		}{
			{"started", m.Started}, {"ready", m.Ready}, {"draining", m.Draining}, {"due", m.Due}, {"unlinked", m.Unlinked},
			{"termed", m.Termed}, {"killed", m.Killed}, {"exited", m.Exited},
		} {
			if !at.t.IsZero() {
				fmt.Fprintf(&b, ", %s %v", at.what, at.t.Sub(w.begin))
			}
		}
		fmt.Fprintf(&b, ", voluntary %t, retired %t, recycle %t\n", m.Voluntary, m.Retired, m.Recycle)
	}
	return b.String()
}

// What serving means is defined here again, so that the tests do not rely on the code
// under test.

func isUp(m *Member) bool {
	return m.Exited.IsZero() && m.Draining.IsZero() && m.Unlinked.IsZero() && m.Killed.IsZero()
}

func (w *world) up() (n int) {
	for i := range w.members {
		if isUp(&w.members[i]) {
			n++
		}
	}
	return n
}

func (w *world) dead() (n int) {
	for i := range w.members {
		if !w.members[i].Exited.IsZero() {
			n++
		}
	}
	return n
}

// served reports of each slot whether it has a member that serves and is ready.
func (w *world) served() []bool {
	slots := make([]bool, w.goal.Workers)
	for i := range w.members {
		if m := &w.members[i]; m.Slot < len(slots) && isUp(m) && !m.Ready.IsZero() {
			slots[m.Slot] = true
		}
	}
	return slots
}

// checkServed fails the test if the steps have left a slot unserved that was served
// before. It looks at every slot, because a second worker in one slot does not make
// up for a missing one in another.
func (w *world) checkServed(before []bool) {
	w.t.Helper()
	ready := 0
	for n, is := range w.served() {
		if before[n] && !is {
			w.fail("slot %d is no longer served after %v", n, w.steps)
		}
		if is {
			ready++
		}
	}
	if w.goal.Established {
		w.minReady = min(w.minReady, ready)
	}
}

// unserved returns how many slots are not served by exactly one member that is ready
// and of that generation. A slot whose last member was retired does not count.
func (w *world) unserved(generation int) int {
	up, good, retired := map[int]int{}, map[int]int{}, map[int]bool{}
	for i := range w.members {
		m := &w.members[i]
		switch {
		case isUp(m):
			up[m.Slot]++
			if m.Generation == generation && !m.Ready.IsZero() {
				good[m.Slot]++
			}
		case m.Retired:
			retired[m.Slot] = true
		}
	}
	bad := 0
	for n := range w.goal.Workers {
		if up[n] == 1 && good[n] == 1 || up[n] == 0 && retired[n] {
			delete(up, n)
			continue
		}
		bad++
	}
	for n := range maps.Keys(up) {
		if n >= w.goal.Workers {
			bad++
		}
	}
	return bad
}

// The events of a rota.

func (w *world) reload() {
	w.newest++
	w.goal, w.pauses = w.goal.Undecided(), nil
	w.goal.Next = w.newest
}

func (w *world) exit(m *Member) {
	if m.Unlinked.IsZero() {
		m.Unlinked = w.now
	}
	m.Exited = w.now
}

func (w *world) leave(m *Member) {
	m.Draining, m.Voluntary = w.now, true
}
