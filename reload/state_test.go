package reload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stateTimelines shows on the left what a master is asked for or what happens to
// it, and on the right the answer to a change, the state, and what begins next.
var stateTimelines = []struct{ name, text string }{{
	name: "a master that leaves goes on with a reload, and begins no other",
	text: `
		leave            | idle
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		HUP              | waits: preparing reload, reload waits
		USR2             | waits: preparing reload, reload waits, upgrade waits for the predecessor to end
		leave            | preparing reload, leaving, reload waits
		HUP              | refused: stopping: preparing reload, leaving, reload waits
		USR2             | refused: stopping: preparing reload, leaving, reload waits
		TTIN             | begins: preparing reload, leaving, reload waits
		prepared         | rolling out, leaving, reload waits
		completed        | serving, leaving, reload waits
		predecessor gone | serving, leaving, reload waits
		TERM             | begins: stopping, reload waits
		workers gone     | idle
		start            | begins: preparing`,
}, {
	name: "a reload",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		prepared         | rolling out
		completed        | serving
		TERM             | begins: stopping
		workers gone     | idle
		start            | begins: preparing`,
}, {
	name: "reloads during a reload are one more",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		HUP              | waits: preparing reload, reload waits
		HUP              | waits: preparing reload, reload waits
		prepared         | rolling out, reload waits
		HUP              | waits: rolling out, reload waits
		completed        | serving, reload waits; reload: preparing reload
		prepared         | rolling out
		completed        | serving`,
}, {
	name: "a reload asked for before the first start is over",
	text: `
		HUP              | refused: not running: idle
		start            | begins: preparing
		HUP              | waits: preparing, reload waits
		prepared         | starting, reload waits
		established      | serving, reload waits; reload: preparing reload`,
}, {
	name: "a reload that can't be prepared: the one that waits begins",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		HUP              | waits: preparing reload, reload waits
		prepare failed   | serving, reload waits; reload: preparing reload
		prepare failed   | serving`,
}, {
	name: "a reload during a roll-back begins at once",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		prepared         | rolling out
		crash            | rolling back
		HUP              | begins: preparing reload, rolling back
		prepare failed   | rolling back
		HUP              | begins: preparing reload, rolling back
		rolled back      | preparing reload
		prepare failed   | serving`,
}, {
	name: "a reload that waits for one that fails begins before the roll-back is over",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		prepared         | rolling out
		HUP              | waits: rolling out, reload waits
		crash            | rolling back, reload waits; reload: preparing reload, rolling back
		prepared         | rolling out
		crash            | rolling back
		rolled back      | serving`,
}, {
	name: "an upgrade",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		USR2             | waits: serving, upgrade waits for the predecessor to end
		predecessor gone | serving, upgrade waits; upgrade: upgrading
		USR2             | joins: upgrading
		HUP              | waits: upgrading, reload waits
		upgraded         | stopping, reload waits
		workers gone     | idle`,
}, {
	name: "an upgrade that fails, then the reload that waited for it",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		USR2             | waits: serving, upgrade waits for the predecessor to end
		predecessor gone | serving, upgrade waits; upgrade: upgrading
		HUP              | waits: upgrading, reload waits
		upgrade failed   | serving, reload waits; reload: preparing reload`,
}, {
	name: "reloads go on while an upgrade waits for the predecessor, then it goes first",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		USR2             | waits: serving, upgrade waits for the predecessor to end
		HUP              | begins: preparing reload, upgrade waits for the predecessor to end
		HUP              | waits: preparing reload, reload waits, upgrade waits for the predecessor to end
		prepared         | rolling out, reload waits, upgrade waits for the predecessor to end
		predecessor gone | rolling out, reload waits, upgrade waits
		completed        | serving, reload waits, upgrade waits; upgrade: upgrading, reload waits
		upgrade failed   | serving, reload waits; reload: preparing reload`,
}, {
	name: "an upgrade during a roll-back begins at once",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		prepared         | rolling out
		USR2             | waits: rolling out, upgrade waits for the predecessor to end
		predecessor gone | rolling out, upgrade waits
		crash            | rolling back, upgrade waits; upgrade: upgrading, rolling back
		upgrade failed   | rolling back
		USR2             | waits: rolling back, upgrade waits for the predecessor to end
		predecessor gone | rolling back, upgrade waits; upgrade: upgrading, rolling back
		rolled back      | upgrading
		upgrade failed   | serving`,
}, {
	name: "a following master reloads and upgrades when it has taken over",
	text: `
		start            | begins: preparing
		following        | preparing
		HUP              | waits: preparing, reload waits
		prepared         | starting, reload waits
		established      | on trial, reload waits
		USR2             | waits: on trial, reload waits, upgrade waits for the predecessor to end
		trial passed     | taking over, reload waits, upgrade waits for the predecessor to end
		taken over       | serving, reload waits, upgrade waits for the predecessor to end; reload: preparing reload, upgrade waits for the predecessor to end
		predecessor gone | preparing reload, upgrade waits
		prepared         | rolling out, upgrade waits
		completed        | serving, upgrade waits; upgrade: upgrading`,
}, {
	name: "a takeover that fails",
	text: `
		start            | begins: preparing
		following        | preparing
		prepared         | starting
		established      | on trial
		HUP              | waits: on trial, reload waits
		USR2             | waits: on trial, reload waits, upgrade waits for the predecessor to end
		takeover failed  | stopping, reload waits
		HUP              | refused: stopping: stopping, reload waits
		workers gone     | idle`,
}, {
	name: "told to stop while taking over",
	text: `
		start            | begins: preparing
		following        | preparing
		prepared         | starting
		established      | on trial
		trial passed     | taking over
		TERM             | begins: stopping
		taken over       | stopping
		workers gone     | idle`,
}, {
	name: "a first worker dies: an upgrade that waits is dropped at once, a reload at the end",
	text: `
		start            | begins: preparing
		prepared         | starting
		HUP              | waits: starting, reload waits
		USR2             | waits: starting, reload waits, upgrade waits for the predecessor to end
		predecessor gone | starting, reload waits, upgrade waits
		start failed     | stopping, reload waits
		USR2             | refused: stopping: stopping, reload waits
		workers gone     | idle`,
}, {
	name: "there is nothing to start",
	text: `
		start            | begins: preparing
		HUP              | waits: preparing, reload waits
		USR2             | waits: preparing, reload waits, upgrade waits for the predecessor to end
		prepare failed   | idle`,
}, {
	name: "the number of workers can be set at any time",
	text: `
		TTIN             | begins: idle
		start            | begins: preparing
		TTIN             | begins: preparing
		prepared         | starting
		TTOU             | begins: starting
		established      | serving
		HUP              | begins: preparing reload
		prepared         | rolling out
		TTIN             | begins: rolling out
		crash            | rolling back
		TTIN             | begins: rolling back
		TERM             | begins: stopping
		TTIN             | begins: stopping`,
}, {
	name: "told to stop while a reload is prepared",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		HUP              | begins: preparing reload
		HUP              | waits: preparing reload, reload waits
		TERM             | begins: stopping, reload waits
		TERM             | joins: stopping, reload waits
		prepared         | stopping, reload waits
		workers gone     | idle`,
}, {
	name: "told to stop while upgrading: the workers go first",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		USR2             | waits: serving, upgrade waits for the predecessor to end
		predecessor gone | serving, upgrade waits; upgrade: upgrading
		TERM             | begins: stopping upgrade
		USR2             | refused: stopping: stopping upgrade
		workers gone     | ending upgrade
		upgrade failed   | idle`,
}, {
	name: "told to stop while upgrading: the successor takes over all the same",
	text: `
		start            | begins: preparing
		prepared         | starting
		established      | serving
		USR2             | waits: serving, upgrade waits for the predecessor to end
		predecessor gone | serving, upgrade waits; upgrade: upgrading
		HUP              | waits: upgrading, reload waits
		TERM             | begins: stopping upgrade, reload waits
		upgraded         | stopping, reload waits
		workers gone     | idle`,
}, {
	name: "stop comes before a predecessor that ends",
	text: `
		TERM             | nothing to do: idle
		start            | begins: preparing
		prepared         | starting
		established      | serving
		USR2             | waits: serving, upgrade waits for the predecessor to end
		TERM             | begins: stopping
		predecessor gone | stopping
		workers gone     | idle`,
}, {
	name: "closed",
	text: `
		start            | begins: preparing
		start            | refused: running: preparing
		prepared         | starting
		established      | serving
		close            | begins: stopping
		start            | refused: closed: stopping
		workers gone     | closed
		start            | refused: closed: closed
		HUP              | refused: not running: closed
		close            | nothing to do: closed`,
}, {
	name: "closed while stopping",
	text: `
		start            | begins: preparing
		TERM             | begins: stopping
		close            | joins: stopping
		workers gone     | closed`,
}, {
	name: "closed before Run",
	text: `
		close            | begins: closed
		start            | refused: closed: closed`,
}, {
	name: "what can't happen changes nothing",
	text: `
		prepared         | impossible: idle
		start            | begins: preparing
		completed        | impossible: preparing
		prepared         | starting
		established      | serving
		established      | impossible: serving
		crash            | impossible: serving
		predecessor gone | serving`,
}}

func TestState(t *testing.T) {
	for _, tl := range stateTimelines {
		t.Run(tl.name, func(t *testing.T) {
			var want, got []string
			var s State
			for line := range strings.Lines(strings.TrimSpace(tl.text)) {
				what, state, _ := strings.Cut(line, "|")
				what, state = strings.TrimSpace(what), strings.TrimSpace(state)
				var does string
				s, does = playState(t, s, what)
				want, got = append(want, what+" | "+state), append(got, what+" | "+does)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

var signals = map[string]Change{
	"start": ChangeStart, "HUP": ChangeReload, "USR2": ChangeUpgrade, "TTIN": ChangeScale, "TTOU": ChangeScale,
	"TERM": ChangeStop, "close": ChangeClose,
}

// playState asks for a change or lets an event happen, then begins what waits.
func playState(t *testing.T, s State, what string) (after State, does string) {
	t.Helper()
	if what == "leave" {
		s = s.Leave()
		does = s.String()
	} else if c, ok := signals[what]; ok {
		var answer Answer
		s, answer = s.Begin(c)
		does = answer.String() + ": " + s.String()
	} else {
		if s, ok = s.On(eventOf(t, what)); !ok {
			does = "impossible: "
		}
		does += s.String()
	}
	for c, ok := s.NextChange(); ok; c, ok = s.NextChange() {
		s, _ = s.Begin(c)
		does += "; " + c.String() + ": " + s.String()
	}
	return s, does
}

// eventOf returns the event of that name. A crash is a new worker's.
func eventOf(t *testing.T, name string) Event {
	t.Helper()
	if name == "crash" {
		return EventAborted
	}
	for e := range allEvents() {
		if e.String() == name {
			return e
		}
	}
	t.Fatalf("there is no event %q", name)
	return 0
}

func allEvents() func(func(Event) bool) { return upTo(EventFollowing, EventWorkersGone) }
func allChanges() func(func(Change) bool) {
	return upTo(ChangeStart, ChangeClose)
}
func allPhases() func(func(Phase) bool) { return upTo(PhaseIdle, PhaseClosed) }

func upTo[T ~int](first, last T) func(func(T) bool) {
	return func(yield func(T) bool) {
		for v := first; v <= last && yield(v); v++ {
		}
	}
}

// Every value has a name of its own, and none has one beyond the last.
func TestStateNames(t *testing.T) {
	seen := map[string]bool{}
	distinct := func(name string) {
		if name == "" || seen[name] {
			t.Errorf("the name %q is empty or not the only one", name)
		}
		seen[name] = true
	}
	for p := range upTo(PhaseIdle-1, PhaseClosed) {
		distinct("phase " + p.String())
	}
	for c := range upTo(ChangeStart-1, ChangeClose) {
		distinct("change " + c.String())
	}
	for e := range upTo(EventFollowing-1, EventWorkersGone) {
		distinct("event " + e.String())
	}
	for a := range upTo(Begins-1, Closed) {
		distinct("answer " + a.String())
	}
	if (PhaseClosed+1).String() != Phase(-1).String() || (EventWorkersGone+1).String() != Event(0).String() {
		t.Error("a value beyond the last has a name")
	}
}

// The steps of a policy that change the goal are events, the others are not.
func TestActionEvent(t *testing.T) {
	want := map[Action]Event{
		Establish: EventEstablished, Fail: EventStartFailed, Prove: EventProven, Complete: EventCompleted, Abort: EventAborted,
		RolledBack: EventRolledBack, Stopped: EventWorkersGone,
	}
	for a := range upTo(Action(0), Stopped) {
		if e, ok := a.Event(); e != want[a] || ok != (want[a] != 0) {
			t.Errorf("%v makes the event %v, want %v", a, e, want[a])
		}
	}
}

// What the state decides in a goal, by phase.
func TestStateGoal(t *testing.T) {
	g := Goal{Workers: 3, Generation: 4, Next: 5, Established: true, Stop: true, Stopped: true, RollingBack: true, Kill: true}
	for p, want := range map[Phase]Goal{
		PhaseStarting:      {},
		PhaseOnTrial:       {Established: true},
		PhaseServing:       {Established: true},
		PhaseRollingOut:    {Established: true, Next: 5},
		PhaseRollingBack:   {Established: true, RollingBack: true},
		PhaseUpgrading:     {Established: true},
		PhaseStopping:      {Stop: true},
		PhaseEndingUpgrade: {Stop: true, Stopped: true},
		PhaseIdle:          {Stopped: true},
	} {
		want.Workers, want.Generation, want.Kill = g.Workers, g.Generation, g.Kill
		if diff := cmp.Diff(want, State{phase: p}.Goal(g)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", p, diff)
		}
	}
}

// A reload that waits for another supersedes it, but not one that prepares, nor a roll-back.
func TestStateSupersedes(t *testing.T) {
	for p, want := range map[Phase]bool{PhaseRollingOut: true, PhasePreparingReload: false, PhaseUpgrading: false} {
		s, _ := State{phase: p}.Begin(ChangeReload)
		if got := s.Goal(Goal{}).Superseded; got != want {
			t.Errorf("%v: superseded %t, want %t", p, got, want)
		}
	}
	if (State{phase: PhaseRollingOut}).Goal(Goal{Superseded: true}).Superseded {
		t.Error("superseded by nothing")
	}
}

// The first start of a master that takes over from nobody is not proven before a worker has
// lived, or a reload has succeeded.
func TestStateUnproven(t *testing.T) {
	start := []Event{EventPrepared, EventEstablished}
	for _, tc := range []struct {
		name   string
		events []Event
		want   bool
	}{
		{"established", start, true},
		{"proven", append(start, EventProven), false},
		{"taken over", []Event{EventFollowing, EventPrepared, EventEstablished, EventTrialPassed, EventTakenOver}, false},
	} {
		s, _ := State{}.Begin(ChangeStart)
		for _, e := range tc.events {
			s, _ = s.On(e)
		}
		if s.Phase() != PhaseServing || s.Goal(Goal{}).Unproven != tc.want {
			t.Errorf("%s: %v, goal %+v", tc.name, s, s.Goal(Goal{}))
		}
		s, _ = s.Begin(ChangeReload)
		s, _ = s.On(EventPrepared)
		if s.Goal(Goal{}).Unproven {
			t.Errorf("%s, and a reload: the first start can fail still", tc.name)
		}
		s, _ = s.On(EventCompleted)
		if s.Goal(Goal{}).Unproven {
			t.Errorf("%s, and a reload that was completed: unproven", tc.name)
		}
	}
}

// While too many workers drain a reload waits, and begins afterwards; nothing else waits.
func TestStateCrowded(t *testing.T) {
	for _, p := range []Phase{PhaseServing, PhaseRollingBack} {
		s, answer := State{phase: p}.SetCrowded(true).Begin(ChangeReload)
		if answer != Waits {
			t.Errorf("%v: a reload %v, want it to wait", p, answer)
		}
		if c, ok := s.NextChange(); ok {
			t.Errorf("%v: %v begins", p, c)
		}
		if c, _ := s.SetCrowded(false).NextChange(); c != ChangeReload {
			t.Errorf("%v: the reload does not begin when it may", p)
		}
	}
	for c, want := range map[Change]Answer{ChangeStop: Begins, ChangeScale: Begins, ChangeClose: Begins, ChangeUpgrade: Waits} {
		with, without := State{phase: PhaseServing}.SetCrowded(true), State{phase: PhaseServing}
		if got := with.CanBegin(c); got != want || got != without.CanBegin(c) {
			t.Errorf("%v %v", c, got)
		}
	}
}

// When the predecessor has ended, a reload that is asked for before the upgrade
// has begun waits for it.
func TestReloadBehindAnUpgradeThatIsNext(t *testing.T) {
	s := State{phase: PhaseServing, upgrade: awaitingTurn}
	if s, answer := s.Begin(ChangeReload); answer != Waits || !s.Waiting(ChangeReload) {
		t.Errorf("a reload %v, want it to wait: %v", answer, s)
	}
}

// A master whose successor has taken over gives its workers the grace of a replacement, until
// somebody asks it to stop.
func TestReplaced(t *testing.T) {
	var s State
	for _, what := range []string{"start", "prepared", "established", "predecessor gone", "USR2", "predecessor gone", "upgraded"} {
		s, _ = playState(t, s, what)
	}
	if g := s.Goal(Goal{}); !g.Stop || !g.Replaced {
		t.Errorf("%v: after an upgrade the goal is %+v", s, g)
	}
	s, answer := s.Begin(ChangeStop)
	if g := s.Goal(Goal{}); answer != Joins || !g.Stop || g.Replaced {
		t.Errorf("%v: %v, and after a stop the goal is %+v", s, answer, g)
	}
}
