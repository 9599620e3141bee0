package reload

// Phase is what a master is doing, from the start of Run to its end. A master
// is in exactly one phase. The zero value is PhaseIdle.
type Phase int

// The phases of a master. "Following" means that another master started this
// process to take over from it.
const (
	// PhaseIdle: Run has not been called, or has returned.
	PhaseIdle Phase = iota
	// PhasePreparing: the first generation's executable is being looked up. A
	// following master first waits for its predecessor's state.
	PhasePreparing
	// PhaseStarting: the first workers are starting.
	PhaseStarting
	// PhaseOnTrial: the first workers of a following master are ready. They must
	// live for MinUptime, and the predecessor must let this master take over.
	PhaseOnTrial
	// PhaseTakingOver: this master is replacing its predecessor and can't turn back.
	PhaseTakingOver
	// PhaseServing: no change is under way.
	PhaseServing
	// PhasePreparingReload: a new generation's executable is being looked up.
	PhasePreparingReload
	// PhaseRollingOut: a new generation is replacing the old one slot by slot.
	PhaseRollingOut
	// PhaseRollingBack: a rollout has failed, and the slots that it had replaced
	// are getting workers of the old generation again.
	PhaseRollingBack
	// PhaseUpgrading: a successor to this master is starting.
	PhaseUpgrading
	// PhaseStopping: the workers are draining.
	PhaseStopping
	// PhaseStoppingUpgrade: the workers are draining, and the upgrade that was
	// under way is being abandoned.
	PhaseStoppingUpgrade
	// PhaseEndingUpgrade: the workers have gone, and the abandoned upgrade has not
	// ended yet.
	PhaseEndingUpgrade
	// PhaseClosed: the master has been closed. Run can't be called again.
	PhaseClosed
)

var phaseNames = [...]string{
	PhaseIdle: "idle", PhasePreparing: "preparing", PhaseStarting: "starting", PhaseOnTrial: "on trial",
	PhaseTakingOver: "taking over", PhaseServing: "serving", PhasePreparingReload: "preparing reload",
	PhaseRollingOut: "rolling out", PhaseRollingBack: "rolling back", PhaseUpgrading: "upgrading",
	PhaseStopping: "stopping", PhaseStoppingUpgrade: "stopping upgrade", PhaseEndingUpgrade: "ending upgrade",
	PhaseClosed: "closed",
}

// String returns the phase in lower-case words, for logs.
func (p Phase) String() string { return nameOf(int(p), phaseNames[:], "unknown phase") }

// Running reports whether Run is under way and has not been told to stop.
func (p Phase) Running() bool { return p >= PhasePreparing && p <= PhaseUpgrading }

// Reloading reports whether a new generation is being prepared for a reload, or is replacing the old one.
func (p Phase) Reloading() bool { return p == PhasePreparingReload || p == PhaseRollingOut }

// Stopping reports whether Run is under way and has been told to stop.
func (p Phase) Stopping() bool { return p >= PhaseStopping && p <= PhaseEndingUpgrade }

// Change is what a master can be asked for.
type Change int

// The changes of a master.
const (
	ChangeStart   Change = iota + 1 // Run is called
	ChangeReload                    // replace the workers by a new generation
	ChangeUpgrade                   // replace the master by a successor
	ChangeScale                     // set the number of workers
	ChangeStop                      // drain the workers and end Run
	ChangeClose                     // end the master at once
)

var changeNames = [...]string{
	ChangeStart: "start", ChangeReload: "reload", ChangeUpgrade: "upgrade", ChangeScale: "scale",
	ChangeStop: "stop", ChangeClose: "close",
}

// String returns the change in lower-case words, for logs.
func (c Change) String() string { return nameOf(int(c), changeNames[:], "no change") }

// Event is something that happened in a master and may end its phase.
type Event int

// The events of a master.
const (
	// EventFollowing: another master started this process to take over from it.
	EventFollowing Event = iota + 1
	// EventPrepared: the executable of a generation has been found.
	EventPrepared
	// EventPrepareFailed: it has not been found, or a following master has not got
	// its predecessor's state.
	EventPrepareFailed
	// EventEstablished: the first workers are ready ([Establish]).
	EventEstablished
	// EventStartFailed: a first worker died before it was ready, or several as soon as
	// they were ([Fail]).
	EventStartFailed
	// EventProven: a first worker has been ready for MinUptime ([Prove]).
	EventProven
	// EventTrialPassed: the first workers of a following master have lived for
	// MinUptime, and its predecessor lets it take over or is gone.
	EventTrialPassed
	// EventTakenOver: this master has replaced its predecessor.
	EventTakenOver
	// EventTakeoverFailed: the predecessor keeps its place.
	EventTakeoverFailed
	// EventCompleted: a rollout is over ([Complete]).
	EventCompleted
	// EventAborted: a rollout has failed ([Abort]).
	EventAborted
	// EventRolledBack: the old generation serves every slot again ([RolledBack]).
	EventRolledBack
	// EventPredecessorGone: the upgrade that waits need not wait for this master's
	// own predecessor any more, because that has ended or there was none.
	EventPredecessorGone
	// EventUpgraded: the successor has taken over. This master stops.
	EventUpgraded
	// EventUpgradeFailed: the successor has failed. This master keeps its place.
	EventUpgradeFailed
	// EventWorkersGone: a stopping master has no workers left ([Stopped]).
	EventWorkersGone
)

var eventNames = [...]string{
	EventFollowing: "following", EventPrepared: "prepared", EventPrepareFailed: "prepare failed",
	EventEstablished: "established", EventStartFailed: "start failed", EventProven: "proven", EventTrialPassed: "trial passed",
	EventTakenOver: "taken over", EventTakeoverFailed: "takeover failed", EventCompleted: "completed",
	EventAborted: "aborted", EventRolledBack: "rolled back", EventPredecessorGone: "predecessor gone",
	EventUpgraded: "upgraded", EventUpgradeFailed: "upgrade failed", EventWorkersGone: "workers gone",
}

// String returns the event in lower-case words, for logs.
func (e Event) String() string { return nameOf(int(e), eventNames[:], "no event") }

// Event returns the event that carrying out a makes. Only actions that are about
// the whole rota make one.
func (a Action) Event() (e Event, ok bool) {
	switch a {
	case Establish:
		e = EventEstablished
	case Fail:
		e = EventStartFailed
	case Prove:
		e = EventProven
	case Complete:
		e = EventCompleted
	case Abort:
		e = EventAborted
	case RolledBack:
		e = EventRolledBack
	case Stopped:
		e = EventWorkersGone
	}
	return e, e != 0
}

// Answer is what becomes of a change that a master is asked for.
type Answer int

// The answers to a change.
const (
	Begins     Answer = iota + 1 // the change begins now
	Waits                        // it begins when State.NextChange returns it
	Joins                        // it is the change that is under way already
	Nothing                      // there is nothing to do
	NotRunning                   // refused: Run is not under way
	Running                      // refused: Run is under way
	Ending                       // refused: the master has been told to stop
	Closed                       // refused: the master has been closed
)

var answerNames = [...]string{
	Begins: "begins", Waits: "waits", Joins: "joins", Nothing: "nothing to do",
	NotRunning: "refused: not running", Running: "refused: running", Ending: "refused: stopping", Closed: "refused: closed",
}

// String returns the answer in lower-case words, for logs.
func (a Answer) String() string { return nameOf(int(a), answerNames[:], "no answer") }

// Refused reports whether the change was refused. It will not begin.
func (a Answer) Refused() bool { return a >= NotRunning }

func nameOf(n int, names []string, none string) string {
	if n < 0 || n >= len(names) || names[n] == "" {
		return none
	}
	return names[n]
}
