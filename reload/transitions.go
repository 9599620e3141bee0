package reload

// docs/phases.md shows the two tables of this file, and a test compares them.

// Entries of the tables that are not a phase themselves. State.resolve says
// which phase they stand for.
const (
	stay           Phase = -1 - iota // the phase does not change
	servingOrTrial                   // PhaseOnTrial if following, else PhaseServing
	servingOrBack                    // PhaseRollingBack if that goes on, else PhaseServing
	idleOrClosed                     // PhaseClosed if closing, else PhaseIdle
)

const numberOfChanges = int(ChangeClose)

// transition is what a change does in a phase.
type transition struct {
	answer Answer
	next   Phase // if the answer is Begins
}

func begin(next Phase) transition { return transition{Begins, next} }
func reply(a Answer) transition   { return transition{answer: a} }

// onChange returns the entry of the table for c.
func onChange(p Phase, c Change) transition {
	if row, ok := changes[p]; ok && c > 0 && int(c) <= numberOfChanges {
		return row[c-1]
	}
	return reply(Nothing)
}

// onEvent returns the entry of the table for e. The predecessor may end at any
// time, which changes no phase.
func onEvent(p Phase, e Event) (next Phase, ok bool) {
	if e == EventPredecessorGone {
		return stay, true
	}
	next, ok = events[p][e]
	return next, ok
}

// changes are the transitions that a master is asked for. In PhaseServing and
// PhaseRollingBack a reload or an upgrade may have to wait all the same, see
// State.CanBegin.
var changes = map[Phase][numberOfChanges]transition{
	// start, reload, upgrade, scale, stop, close
	PhaseIdle:            {begin(PhasePreparing), reply(NotRunning), reply(NotRunning), begin(stay), reply(Nothing), begin(PhaseClosed)},
	PhasePreparing:       {reply(Running), reply(Waits), reply(Waits), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhaseStarting:        {reply(Running), reply(Waits), reply(Waits), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhaseOnTrial:         {reply(Running), reply(Waits), reply(Waits), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhaseTakingOver:      {reply(Running), reply(Waits), reply(Waits), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhaseServing:         {reply(Running), begin(PhasePreparingReload), begin(PhaseUpgrading), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhasePreparingReload: {reply(Running), reply(Waits), reply(Waits), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhaseRollingOut:      {reply(Running), reply(Waits), reply(Waits), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhaseRollingBack:     {reply(Running), begin(PhasePreparingReload), begin(PhaseUpgrading), begin(stay), begin(PhaseStopping), begin(PhaseStopping)},
	PhaseUpgrading:       {reply(Running), reply(Waits), reply(Joins), begin(stay), begin(PhaseStoppingUpgrade), begin(PhaseStoppingUpgrade)},
	PhaseStopping:        {reply(Running), reply(Ending), reply(Ending), begin(stay), reply(Joins), reply(Joins)},
	PhaseStoppingUpgrade: {reply(Running), reply(Ending), reply(Ending), begin(stay), reply(Joins), reply(Joins)},
	PhaseEndingUpgrade:   {reply(Running), reply(Ending), reply(Ending), begin(stay), reply(Joins), reply(Joins)},
	PhaseClosed:          {reply(Closed), reply(NotRunning), reply(NotRunning), begin(stay), reply(Nothing), reply(Nothing)},
}

// events are the transitions that happen. An event that is not here can't happen
// in that phase. Some come late, when a stop has made them meaningless: they stay.
var events = map[Phase]map[Event]Phase{
	PhaseIdle: {EventTakenOver: stay},
	PhasePreparing: {EventFollowing: stay, EventPrepared: PhaseStarting, EventPrepareFailed: idleOrClosed,
		EventTakeoverFailed: idleOrClosed},
	PhaseStarting: {EventEstablished: servingOrTrial, EventStartFailed: PhaseStopping,
		EventTakeoverFailed: PhaseStopping},
	PhaseOnTrial:    {EventTrialPassed: PhaseTakingOver, EventTakeoverFailed: PhaseStopping},
	PhaseTakingOver: {EventTakenOver: PhaseServing, EventTakeoverFailed: PhaseStopping},
	PhaseServing:    {EventProven: stay, EventStartFailed: PhaseStopping},
	PhasePreparingReload: {EventPrepared: PhaseRollingOut, EventPrepareFailed: servingOrBack,
		EventRolledBack: stay},
	PhaseRollingOut:  {EventCompleted: PhaseServing, EventAborted: PhaseRollingBack},
	PhaseRollingBack: {EventRolledBack: PhaseServing},
	PhaseUpgrading: {EventUpgraded: PhaseStopping, EventUpgradeFailed: servingOrBack,
		EventRolledBack: stay},
	PhaseStopping: {EventWorkersGone: idleOrClosed,
		EventPrepared: stay, EventPrepareFailed: stay, EventTakenOver: stay},
	PhaseStoppingUpgrade: {EventWorkersGone: PhaseEndingUpgrade,
		EventUpgraded: PhaseStopping, EventUpgradeFailed: PhaseStopping},
	PhaseEndingUpgrade: {EventUpgraded: idleOrClosed, EventUpgradeFailed: idleOrClosed},
	PhaseClosed:        {EventTakenOver: stay},
}
