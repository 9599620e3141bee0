// Package reload decides what a master does next with its workers. It decides and
// does nothing else: no process, no goroutine, no clock, no channel, no log.
// Package master carries out what it says.
//
//   - [State] is what a master is doing. It decides which change (a reload, an
//     upgrade, a stop) may begin now, which has to wait, and which is refused.
//   - [Policy.Next] is a pure function of a goal, the members of the rota and the
//     time. It says which workers to start, to disconnect and to force, and when a
//     rollout is complete or has failed.
//   - [Rota] holds the members, and answers Next without looking at all of them.
//
// A program that uses rota meets only [Error] and what it wraps. Everything else is
// exported for package master, or for a master of one's own.
//
// # How Next decides
//
// Every slot should have one serving member of the target generation: [Goal.Next]
// during a rollout, [Goal.Generation] otherwise. A roll-back is thus a rollout in
// the other direction. The first member of a slot may always be started; each
// further one, the new beside the old, takes one of [Policy.Surge] places. A member
// that is ready is disconnected only when its slot has a better one that is ready
// too. An empty slot is filled from Goal.Generation, which is proven: all its workers
// have been ready.
//
// First start, respawn with back-off, rollout, roll-back, resize, recycling and stop
// are one function, because separate ones would contradict each other when a worker
// dies in the middle of a rollout.
//
// Next keeps nothing between calls. What it needs is in the goal and the members,
// including dead ones: how the last of a slot ended decides when the next starts.
// After every event the caller asks, carries out all the steps, and asks again until
// there are none. Then it waits for the next event, or for wake.
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

import (
	"math"
	"time"
)

// NoLimit, as a duration of a [Policy], means that there is no limit: what it bounds never
// happens because of time alone.
const NoLimit time.Duration = math.MaxInt64

// Policy is how workers are kept alive and replaced. The zero value of every field
// means its default; a negative duration means none, or at once; NoLimit means that there is no
// limit.
type Policy struct {
	// Surge is how many workers more than Goal.Workers may be alive and not
	// draining during a rollout. Zero or less means 1, as the new worker starts
	// beside the old. Goal.Workers makes a rollout replace all at once.
	Surge int

	// MinUptime is how long a new worker of a rollout must have been ready before
	// its predecessor is disconnected. Zero means 1 s, a negative duration none.
	MinUptime time.Duration

	// Canary is how many slots, the lowest, a rollout replaces first: their new workers serve
	// beside the old ones for CanaryTime, or until Goal.Promoted, and then the other slots
	// are replaced. So many workers more may be alive meanwhile, if that is more than Surge. Zero
	// or less means none.
	Canary int
	// CanaryTime is how long a canary must have been ready, if that is longer than MinUptime.
	// Zero or less means a minute, NoLimit until Goal.Promoted.
	CanaryTime time.Duration

	// ReadyTimeout is how long a worker may take from its start to ready. Zero
	// or less means 60 s. It does not bound the first start of a rota, nor the
	// start of a worker in a slot that nobody serves.
	//
	// Until then a new worker is waited for to accept on every address of its predecessor.
	// One that it has not asked for is given up earlier: three times as long after its
	// start as the predecessor needed for it, at least a second, and not before a second
	// has passed since its latest first Accept. Where that is close to ReadyTimeout or
	// later, it is given up halfway between the predecessor's time and ReadyTimeout.
	ReadyTimeout time.Duration

	// Grace is how long a worker may drain. Zero means 30 s, a negative duration none.
	Grace time.Duration

	// StopGrace is Grace for Goal.Stop without Goal.Replaced. A worker that drains already
	// keeps its end if that is earlier. Zero means Grace, a negative duration none.
	StopGrace time.Duration

	// KillAfter is how long to wait between the end of a worker's drain (its link
	// has closed, or Grace and another second have passed) and SIGTERM, and again
	// between SIGTERM and SIGKILL. Zero means 5 s, a negative duration at once, and NoLimit
	// that a worker is not forced.
	KillAfter time.Duration

	// MaxAge is how long after it became ready a worker is replaced, less up to a
	// tenth that depends on its id, so that workers started together do not leave
	// together. One is replaced at a time, its successor ready first, and none
	// during a rollout. Zero or less means NoLimit.
	MaxAge time.Duration

	// MaxDraining is how many workers may drain before a reload, or the replacement of a
	// worker because of its age, memory or health, waits until some have ended. Zero means
	// four for each of Goal.Workers and at least 16, as does a negative number.
	MaxDraining int

	// MinBackoff is how long after its end a worker that has crashed is started again. Every
	// further crash in a row makes that 1.5 times longer, up to MaxBackoff. A worker that has been
	// ready for 30 s ends the row. One that leaves by itself before it was ready for
	// MinUptime, or a second if that is more, counts as crashed. Zero means 100 ms, a negative
	// duration at once.
	MinBackoff time.Duration
	// MaxBackoff is the longest time until such a start. Zero or less means 30 s, or MinBackoff
	// if that is longer.
	MaxBackoff time.Duration

	healed time.Duration // how long a worker must have been ready to end a row of crashes: 30 s; negative: at once
}

// Goal is what the rota should come to. The caller sets Workers, Generation, Next, Promoted, Aborted,
// Paused, Hurry and Kill; [State.Goal] fills in the other fields. A caller without a State changes them
// as the steps of [Policy.Next] say.
type Goal struct {
	Workers     int       // the number of slots, 0 to Workers-1
	Generation  int       // the proven generation, which serves and which a roll-back returns to
	Next        int       // the generation that is being rolled out, never used before; 0: none. Ignored until Established
	RollingBack bool      // a rollout has failed, and Generation does not serve every slot again yet. Ignored with Next
	Superseded  bool      // another rollout waits for that of Next, which is aborted if a worker of it seems to hang
	Promoted    bool      // the canaries of Next have been tried for long enough. Ignored without Next
	Aborted     bool      // the rollout of Next is to be aborted. Ignored without Next
	Paused      time.Time // since when the rollout of Next stands still, see [Goal.Pause]; zero: it doesn't. Ignored without Next
	Established bool      // the first start is over. Until then, a worker that dies before it is ready fails the start
	Unproven    bool      // no worker of the first start has been ready for MinUptime yet. Ignored until Established, and with Next or RollingBack
	Stop        bool      // disconnect all members and start none
	Replaced    bool      // with Stop: another master has taken over, and Policy.Grace bounds the drains
	Hurry       bool      // with Stop: the grace of all members is over
	Kill        bool      // with Stop: kill all members at once
	Stopped     bool      // the stop is over: Next returns nothing
}

// Member is one worker, alive or dead. A dead member is kept until a step says
// [Forget]. Ids rise with every start; the order of members in a slice does not matter.
type Member struct {
	ID         int
	Slot       int
	Generation int
	Crashes    int // Step.Crashes of its Start: how many workers in a row crashed, or left before they were ready

	Started  time.Time // never zero
	Ready    time.Time // zero: not yet
	Draining time.Time // when the drain began, by order or by itself; zero: it does not drain
	Due      time.Time // when its drain has to end, as it was told; zero: Policy.Grace after the drain began
	Unlinked time.Time // when its link closed, for whatever reason; zero: it is open
	Termed   time.Time // when Terminate was carried out; zero: it was not
	Killed   time.Time // when Kill was carried out; zero: it was not
	Late     time.Time // when Late was carried out; zero: it was not
	Asked    time.Time // on trial, when the caller asked for a sign of life that hasn't come yet; zero: for none
	Exited   time.Time // zero: it is alive

	// SaysReady means that the program has said that it is ready, and WaitReady that it is
	// not ready before. Only package readiness reads them.
	SaysReady, WaitReady bool
	// Held is for how long its trial has stood still in pauses that are over.
	Held time.Duration
	// Voluntary means that the master or the program has asked the worker to end, or that
	// it drains by itself. Its exit is not a crash. The step Kill does not set this.
	Voluntary bool
	// Dismissed means that the step Disconnect has ended it, and not the program.
	Dismissed bool
	// Retired means that the worker was asked to end and is not replaced. The slot stays
	// empty until a rollout fills it or the caller clears the field.
	Retired bool
	// Recycle means that the worker should be replaced because of its memory or health,
	// when nothing else is under way. It serves until its successor is ready.
	Recycle bool
	// Fault is what is wrong with the worker though it serves; nil: nothing. In a rollout to its
	// generation that fails it: ErrUnwell, ErrReported or ErrWorse, which may be wrapped.
	Fault error
}

// Action is what a [Step] does.
type Action int

const (
	// Start a worker in Step.Slot from Step.Generation, with Member.Crashes = Step.Crashes.
	Start Action = iota + 1
	// Disconnect Step.ID gracefully: it has Step.Within for its drain (sets Member.Draining, Due,
	// Voluntary and Dismissed).
	Disconnect
	// Hurry: the drain of Step.ID has to end within Step.Within (sets Member.Due).
	Hurry
	// Terminate sends SIGTERM to Step.ID (sets Member.Termed).
	Terminate
	// Kill sends SIGKILL to Step.ID (sets Member.Killed).
	Kill
	// Late: Step.ID isn't ready after Policy.ReadyTimeout. It is waited for, because nobody
	// else serves its slot (sets Member.Late).
	Late
	// Forget the dead member Step.ID.
	Forget
	// Establish: the first start is over (sets Goal.Established).
	Establish
	// Fail: the first start has failed, Step.ID died before it was ready or, with
	// Goal.Unproven, is the third in a row that died (sets Goal.Stop).
	Fail
	// Prove: a worker has been ready for MinUptime (clears Goal.Unproven).
	Prove
	// Complete: the rollout is over (Goal.Generation = Goal.Next, Goal.Next = 0, RollingBack false).
	Complete
	// Abort: the rollout has failed because of Step.ID, for the reason Step.Err, or because of
	// Goal.Aborted, without an ID (sets Goal.Next = 0 and Goal.RollingBack, clears Superseded). A new Next may be set at once.
	Abort
	// RolledBack: every slot is served by Goal.Generation again (clears Goal.RollingBack).
	RolledBack
	// Stopped: with Goal.Stop, no member is left (sets Goal.Stopped).
	Stopped
)

var actions = [...]string{
	Start: "start", Disconnect: "disconnect", Hurry: "hurry", Terminate: "terminate", Kill: "kill", Late: "late", Forget: "forget",
	Establish: "establish", Fail: "fail", Prove: "prove", Complete: "complete", Abort: "abort", RolledBack: "rolled back", Stopped: "stopped",
}

// String returns the action in lower-case words, for logs.
func (a Action) String() string {
	if a <= 0 || int(a) >= len(actions) {
		return "no action"
	}
	return actions[a]
}

// Step is one thing to do now. Action.Event says which event it is for a State.
type Step struct {
	Do         Action
	ID         int   // of a member. Start: the one that is to be replaced because of its age or Member.Recycle; 0: none
	Slot       int   // Start only
	Generation int   // Start only
	Crashes    int   // Start only
	Err        error // Abort only: ErrDied, ErrNotReady, ErrNoAnswer, ErrSuperseded, ErrAborted or Member.Fault

	Within time.Duration // Disconnect and Hurry only: 0 at once, or NoLimit
}
