// Package reload decides what a master does next with its workers: which to
// start, which to disconnect, which to force, and when a reload is complete or
// has failed. It decides and does nothing else: no process, no goroutine, no
// clock, no channel, no log. [Policy.Next] is a pure function of a goal, the
// members of the rota and the time, and package master carries out what it says.
//
// One function decides everything (first start, respawn with back-off, the
// slot-by-slot roll, roll-back, resize, recycling, stop), because two deciders
// fight as soon as a worker dies in the middle of a roll.
//
// # The model
//
// Every slot wants one serving member of the target generation: [Goal.Next]
// during a roll, [Goal.Generation] otherwise, so a roll-back is a roll in the
// other direction. A slot's first member is its own and may always be started;
// every further one, the new beside the old, takes one of [Policy.Surge] places.
// A member that is ready is disconnected only when its slot has a better one
// that is ready too.
// An empty slot is filled from Goal.Generation, which has proven itself.
//
// Nothing is remembered but the goal and the members, the last dead of a slot
// among them: how they ended says when their successor starts. After every
// event the caller asks, carries out all the steps, and asks again until there
// are none; then it waits for the next event or for the wake time.
//
//	for {
//		steps, wake := policy.Next(goal, members, time.Now())
//		if len(steps) == 0 {
//			setTimer(wake)
//			return
//		}
//		carryOut(steps) // changes goal and members as each Action says
//	}
package reload

import "time"

// Policy is how a rota is kept and rolled. The zero value of every field means
// its default; a negative duration means none.
type Policy struct {
	// Surge is how many workers more than the rota's size may be alive and not
	// draining during a roll. Zero or less means 1: a roll needs a place to start
	// the new beside the old. The rota's size makes it blue/green.
	Surge int

	// MinUptime is how long a new worker of a roll must have been ready before its
	// predecessor is disconnected. Zero means 1 s, negative none.
	MinUptime time.Duration

	// ReadyTimeout is how long a worker may take from its start to ready. Zero
	// means 60 s, negative for ever. It does not bound the first start of a rota.
	ReadyTimeout time.Duration

	// Grace is how long a worker may drain. Zero means 30 s, negative none.
	Grace time.Duration

	// KillAfter is how long to wait between the end of a worker's drain (its link
	// has closed, or the grace is over and a second more) and SIGTERM, and again
	// between SIGTERM and SIGKILL. Zero means 5 s, negative none.
	KillAfter time.Duration

	// Backoff delays the respawn of a worker that crashed.
	Backoff Backoff

	// MaxAge recycles a worker that has been ready for so long, up to a tenth
	// earlier (by its id), so that workers started together do not leave together.
	// One is replaced at a time, its successor ready first, and none during a roll.
	// Zero or negative means never.
	MaxAge time.Duration
}

// Goal is what the rota should come to. The master keeps it, and changes it as
// the steps of [Policy.Next] say.
type Goal struct {
	Workers     int  // the rota's size: slots 0 to Workers-1
	Generation  int  // the generation that serves, and that a roll-back returns to
	Next        int  // the generation that is being rolled in, never used before; 0: no roll. Waits until Established
	RollingBack bool // a roll has failed and what it replaced is not all back yet
	Established bool // every slot has been ready: until then a death is a failed start
	Stop        bool // disconnect everybody
	Kill        bool // with Stop: at once, without a grace
	Stopped     bool // the stop is over: nothing is decided any more
}

// Member is one worker as the policy sees it, alive or dead. A dead member is
// kept until [Forget] names it: it tells how its slot was left. Ids rise with
// every start; the order of members in a slice means nothing.
type Member struct {
	ID         int
	Slot       int
	Generation int
	Crashes    int // in a row before this member (who left before it was ready counts): Step.Crashes of its Start

	Started  time.Time // never zero
	Ready    time.Time // zero: not yet
	Draining time.Time // when it was told to disconnect, or began to by itself (not: lost its link); zero: not
	Unlinked time.Time // when its link closed, for whatever reason; zero: open
	Termed   time.Time // when Terminate was carried out; zero: not
	Killed   time.Time // when Kill was carried out; zero: not
	Exited   time.Time // zero: alive

	Voluntary bool // its end was asked for, by the master or by itself: no crash. The step Kill does not set it
	Retired   bool // its end was asked for by somebody who wants no successor: its slot stays empty until a roll, or until it is set back
	Recycle   bool // it should be replaced when its turn comes (memory, health)
}

// Action is what a [Step] does.
type Action int

const (
	// Start a worker in Step.Slot from Step.Generation, with Member.Crashes = Step.Crashes.
	Start Action = iota + 1
	// Disconnect Step.ID gracefully (sets Member.Draining and Voluntary).
	Disconnect
	// Terminate sends SIGTERM to Step.ID (sets Member.Termed).
	Terminate
	// Kill sends SIGKILL to Step.ID (sets Member.Killed).
	Kill
	// Forget the dead member Step.ID.
	Forget
	// Establish: the first start is over (sets Goal.Established).
	Establish
	// Fail: the first start has failed, Step.ID died before it was ready (sets Goal.Stop).
	Fail
	// Complete: the roll is over (Goal.Generation = Goal.Next, Goal.Next = 0, RollingBack false).
	Complete
	// Abort: the roll has failed because of Step.ID, for the reason Step.Err
	// (sets Goal.Next = 0 and Goal.RollingBack). A new Next may be set at once.
	Abort
	// RolledBack: every slot is served by Goal.Generation again (clears Goal.RollingBack).
	RolledBack
	// Stopped: with Goal.Stop, nobody is left (sets Goal.Stopped).
	Stopped
)

var actions = [...]string{
	Start: "start", Disconnect: "disconnect", Terminate: "terminate", Kill: "kill", Forget: "forget",
	Establish: "establish", Fail: "fail", Complete: "complete", Abort: "abort", RolledBack: "rolled back", Stopped: "stopped",
}

// String returns the action in lower-case words, for logs.
func (a Action) String() string {
	if a <= 0 || int(a) >= len(actions) {
		return "no action"
	}
	return actions[a]
}

// Step is one thing to do now.
type Step struct {
	Do         Action
	ID         int   // of a member
	Slot       int   // Start only
	Generation int   // Start only
	Crashes    int   // Start only
	Err        error // Abort only: ErrDied or ErrNotReady
}
