// Package reload decides what a master does next with its workers: which to
// start, which to disconnect, which to force, and when a reload is complete or
// has failed. It decides and does nothing else: no process, no goroutine, no
// clock, no channel, no log. [Policy.Next] is a pure function of a goal, the
// members of the rota and the time, and package master carries out what it says.
//
// One function decides everything (first start, respawn with back-off, the
// slot-by-slot roll, roll-back, resize, recycling, stop), because two deciders
// fight as soon as a worker dies in the middle of a roll.
package reload

import "time"

// Policy is how a rota is kept and rolled. The zero value of every field means
// its default; a negative duration means none.
type Policy struct {
	// Surge is how many workers more than the rota's size may be alive and not
	// draining during a roll. Zero means 1. The rota's size makes it blue/green.
	Surge int

	// MinUptime is how long a new worker of a roll must have been ready before its
	// predecessor is disconnected. Zero means 1 s, negative none.
	MinUptime time.Duration

	// ReadyTimeout is how long a worker may take from its start to ready. Zero
	// means 60 s, negative for ever. It does not bound the first start of a rota.
	ReadyTimeout time.Duration

	// Grace is how long a worker may drain. Zero means 30 s, negative none.
	Grace time.Duration

	// KillAfter is how long to wait between the end of a worker's drain and
	// SIGTERM, and again between SIGTERM and SIGKILL. Zero means 5 s, negative none.
	KillAfter time.Duration

	// Backoff delays the respawn of a worker that crashed.
	Backoff Backoff

	// MaxAge recycles a worker that has been ready for so long, up to a tenth
	// earlier (by its id), so that workers started together do not leave together.
	// Zero or negative means never.
	MaxAge time.Duration
}

// Goal is what the rota should come to. The master keeps it, and changes it as
// the steps of [Policy.Next] say.
type Goal struct {
	Workers     int  // the rota's size: slots 0 to Workers-1
	Generation  int  // the generation that serves, and that a roll-back returns to
	Next        int  // the generation that is being rolled in; 0: no roll
	RollingBack bool // a roll has failed and what it replaced is not all back yet
	Established bool // every slot has been ready: until then a death is a failed start
	Stop        bool // disconnect everybody
	Kill        bool // with Stop: at once, without a grace
}

// Member is one worker as the policy sees it, alive or dead. A dead member is
// kept until [Forget] names it: it tells how its slot was left.
type Member struct {
	ID         int
	Slot       int
	Generation int
	Crashes    int // of this slot in a row before this member: Step.Crashes of its Start

	Started  time.Time // never zero
	Ready    time.Time // zero: not yet
	Draining time.Time // when it was told to disconnect, or began to by itself; zero: not
	Unlinked time.Time // when its link closed; zero: open
	Termed   time.Time // when Terminate was carried out; zero: not
	Killed   time.Time // when Kill was carried out; zero: not
	Exited   time.Time // zero: alive

	Voluntary bool // its end was asked for, by the master or by itself: no crash
	Retired   bool // its end was asked for by somebody who wants no successor
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
	// (sets Goal.Next = 0 and Goal.RollingBack).
	Abort
	// RolledBack: every slot is served by Goal.Generation again (clears Goal.RollingBack).
	RolledBack
	// Stopped: with Goal.Stop, nobody is left.
	Stopped
)

// Step is one thing to do now.
type Step struct {
	Do         Action
	ID         int   // of a member
	Slot       int   // Start only
	Generation int   // Start only
	Crashes    int   // Start only
	Err        error // Abort only: ErrDied or ErrNotReady
}
