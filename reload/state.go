package reload

// State is what a master is doing and what it has been asked for. It decides
// which change may begin, and does nothing else. The zero value is a master whose
// Run has not been called.
//
// The caller keeps one State and replaces it by what Begin and On return:
//
//	s, answer := s.Begin(ChangeReload) // when asked for a change
//	s, ok := s.On(EventPrepared)       // when something has happened
//	for c, ok := s.NextChange(); ok; c, ok = s.NextChange() {
//		s, _ = s.Begin(c) // and begin it
//	}
//
// A reload and an upgrade wait while another change is under way. Any number of
// reloads that wait are one, and so are any number of upgrades. An upgrade also
// waits until the master's own predecessor is gone; reloads go on meanwhile. A reload
// also waits while too many workers drain. While it waits for another reload,
// Goal.Superseded lets that one end if its workers seem to hang.
// Stop and Close do not wait. A stop drops an upgrade that waits at once, and a
// reload that waits when the phase becomes PhaseIdle or PhaseClosed: the caller
// must then answer it with an error that says that the master is stopping. Until then a reload that
// waits may still be passed on to a successor. [State.Leave] is for a master that is told to stop
// and serves on for a while.
//
// State doesn't know whether the process can be upgraded at all (PID 1 can't). The
// caller checks that before it calls Begin.
type State struct {
	phase       Phase
	rollingBack bool // in PhasePreparingReload and PhaseUpgrading: a roll-back goes on as well
	following   bool
	closing     bool
	leaving     bool        // a stop follows; see Leave
	replaced    bool        // in PhaseStopping: a successor has taken over, and nothing else has asked for a stop
	unproven    bool        // no worker of the first start has been ready for MinUptime
	crowded     bool        // many workers drain: a reload has to wait
	drained     bool        // balancers are told to send new clients elsewhere; nothing else changes
	reload      bool        // waits
	upgrade     upgradeWait // waits
}

// upgradeWait is what an upgrade waits for.
type upgradeWait int

const (
	noUpgrade           upgradeWait = iota
	awaitingPredecessor             // the master's own predecessor has to end
	awaitingTurn                    // the change under way has to end
)

// Phase returns what the master is doing.
func (s State) Phase() Phase { return s.phase }

// RollingBack reports whether a roll-back is going on, alone or beside the
// preparation of a reload or an upgrade.
func (s State) RollingBack() bool { return s.rollingBack || s.phase == PhaseRollingBack }

// Following reports whether this process is to take over from another master and
// has not done so yet.
func (s State) Following() bool { return s.following }

// Closing reports whether the master has been closed, though workers may be left.
func (s State) Closing() bool { return s.closing }

// Leave says that a stop is to follow, and that the master serves until then: a reload or an
// upgrade is refused from now on, and one that waits doesn't begin. Before and after a Run it
// changes nothing.
func (s State) Leave() State {
	if s.phase.Running() {
		s.leaving, s.upgrade = true, noUpgrade
	}
	return s
}

// Leaving reports whether the master stops, or will after [State.Leave].
func (s State) Leaving() bool { return s.leaving || s.phase.Stopping() }

// Waiting reports whether c was asked for and has not begun.
func (s State) Waiting(c Change) bool {
	return c == ChangeReload && s.reload || c == ChangeUpgrade && s.upgrade != noUpgrade
}

// SetCrowded says whether so many workers drain that a reload has to wait; see
// [Policy.Crowded]. The caller says so before it asks for a change.
func (s State) SetCrowded(crowded bool) State {
	s.crowded = crowded
	return s
}

// SetDrained says whether balancers are told to send new clients elsewhere. It changes nothing else, and
// ends with the Run.
func (s State) SetDrained(drained bool) State {
	s.drained = drained
	return s
}

// Drained reports whether balancers are told to send new clients elsewhere.
func (s State) Drained() bool { return s.drained }

// Held reports whether a reload waits only because too many workers drain.
func (s State) Held() bool {
	return s.reload && s.crowded && s.SetCrowded(false).CanBegin(ChangeReload) == Begins
}

// CanRollBack is CanBegin of a reload that may not wait: to a release that was chosen because of what
// serves now. Waits means that another change is under way or waits. Workers that drain don't count.
func (s State) CanRollBack() Answer {
	answer := s.SetCrowded(false).CanBegin(ChangeReload)
	if answer == Begins && (s.RollingBack() || s.Waiting(ChangeReload) || s.Waiting(ChangeUpgrade)) {
		return Waits
	}
	return answer
}

// String describes the state in one line, for logs and status: the phase and what
// waits.
func (s State) String() string {
	text := s.phase.String()
	if s.rollingBack {
		text += ", rolling back"
	}
	if s.leaving {
		text += ", leaving"
	}
	if s.drained {
		text += ", drained"
	}
	if s.reload {
		text += ", reload waits"
	}
	if s.upgrade == awaitingPredecessor {
		text += ", upgrade waits for the predecessor to end"
	}
	if s.upgrade == awaitingTurn {
		text += ", upgrade waits"
	}
	return text
}

// Goal returns g with what the state decides filled in: Established, Unproven,
// RollingBack, Superseded, Stop, Replaced and Stopped. Next is kept only while rolling out.
func (s State) Goal(g Goal) Goal {
	g.Established = s.phase >= PhaseOnTrial && s.phase <= PhaseUpgrading
	g.Unproven = s.unproven && s.phase == PhaseServing
	g.RollingBack = s.RollingBack()
	g.Superseded = s.reload && !s.leaving && s.phase == PhaseRollingOut
	g.Stop, g.Replaced = s.phase.Stopping(), s.replaced
	g.Stopped = s.phase == PhaseEndingUpgrade || s.phase == PhaseIdle || s.phase == PhaseClosed
	if s.phase != PhaseRollingOut {
		g.Next = 0
	}
	return g
}

// CanBegin returns what Begin would answer.
func (s State) CanBegin(c Change) Answer {
	answer := onChange(s.phase, c).answer
	switch {
	case c == ChangeStart && s.closing:
		return Closed
	case s.leaving && (c == ChangeReload || c == ChangeUpgrade):
		return Ending
	case answer != Begins:
		return answer
	case c == ChangeUpgrade && s.upgrade != awaitingTurn:
		return Waits
	case c == ChangeReload && (s.upgrade == awaitingTurn || s.crowded):
		return Waits
	}
	return answer
}

// Begin asks for c. If the answer is Begins, c is under way in the state that
// Begin returns; if it is Waits, c is waiting. A stop of a master whose successor has taken over
// joins, and bounds the drains from now on. Otherwise c changes nothing.
func (s State) Begin(c Change) (State, Answer) {
	answer := s.CanBegin(c)
	if answer.Refused() {
		return s, answer
	}
	s.closing = s.closing || c == ChangeClose
	s.replaced = s.replaced && c != ChangeStop && c != ChangeClose
	switch {
	case answer == Waits && c == ChangeReload:
		s.reload = true
	case answer == Waits && s.upgrade == noUpgrade:
		s.upgrade = awaitingPredecessor
	case answer == Begins && c == ChangeReload:
		s.reload = false
	case answer == Begins && c == ChangeUpgrade:
		s.upgrade = noUpgrade
	}
	if answer == Begins {
		s = s.enter(onChange(s.phase, c).next)
	}
	return s, answer
}

// NextChange returns the change that waits and may begin now, for Begin. There is
// at most one.
func (s State) NextChange() (c Change, ok bool) {
	for _, c := range []Change{ChangeUpgrade, ChangeReload} {
		if s.Waiting(c) && s.CanBegin(c) == Begins {
			return c, true
		}
	}
	return 0, false
}

// On returns the state after e. ok is false, and the state unchanged, if e can't
// happen in this phase.
func (s State) On(e Event) (after State, ok bool) {
	next, ok := onEvent(s.phase, e)
	if !ok {
		return s, false
	}
	switch e {
	case EventFollowing:
		s.following = true
	case EventEstablished:
		s.unproven = !s.following
	case EventProven, EventCompleted:
		s.unproven = false
	case EventRolledBack:
		s.rollingBack = false
	case EventUpgraded:
		s.replaced = s.phase == PhaseUpgrading
	case EventPredecessorGone:
		if s.upgrade == awaitingPredecessor {
			s.upgrade = awaitingTurn
		}
	}
	return s.enter(next), true
}

// enter moves to the phase that a table names.
func (s State) enter(next Phase) State {
	next = s.resolve(next)
	switch {
	case next == PhasePreparingReload || next == PhaseUpgrading:
		s.rollingBack = s.RollingBack()
	case next != s.phase:
		s.rollingBack = false
	}
	if next == PhaseServing || next.Stopping() {
		s.following = false
	}
	if !next.Running() {
		s.upgrade, s.leaving = noUpgrade, false
	}
	s.replaced = s.replaced && !next.Running()
	if next == PhaseIdle || next == PhaseClosed {
		s.reload, s.following, s.unproven, s.drained = false, false, false, false
	}
	s.phase = next
	return s
}

// resolve returns the phase that an entry of a table stands for.
func (s State) resolve(next Phase) Phase {
	switch {
	case next == stay:
		return s.phase
	case next == servingOrTrial && s.following:
		return PhaseOnTrial
	case next == servingOrBack && s.rollingBack:
		return PhaseRollingBack
	case next == servingOrTrial, next == servingOrBack:
		return PhaseServing
	case next == idleOrClosed && s.closing:
		return PhaseClosed
	case next == idleOrClosed:
		return PhaseIdle
	}
	return next
}
