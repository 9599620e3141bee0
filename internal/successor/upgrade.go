package successor

import (
	"time"

	"github.com/rota-go/rota/reload"
)

// idBlock is how many worker ids an old master leaves to a new one, so that no id is used
// twice if the upgrade fails.
const idBlock = 1000

// UpgradeState is where the old master is in an upgrade.
type UpgradeState int

// The states of an Upgrade. See its table.
const (
	Waiting    UpgradeState = iota // this master's own predecessor still runs
	Due                            // the predecessor is gone; the pool may be busy
	Starting                       // the new master's process is being started
	Introduced                     // it has said hello, and has the snapshot
	Announcing                     // it is ready, and the service manager is being told its pid
	Released                       // "go" was sent
	Stopping                       // the upgrade has failed; the new process still runs
	Retired                        // the new master has taken over
	Ended                          // the upgrade has failed, and there is no new process
)

// Upgrade is the old master's side of an upgrade. It decides and does nothing: each method
// is an event, and tells the caller what to do. One goroutine owns it. The zero value is
// an upgrade that waits for this master's own predecessor to exit.
//
//	state        event                      next state   the master
//	Waiting      ParentGone                 Due
//	Due          Start                      Starting     starts the new process
//	Starting     hello                      Introduced   sends its sockets and snapshot
//	Starting     hello, version too old     Stopping     sends stop
//	Introduced   ready                      Announcing   tells the service manager the new pid
//	Announcing   Announced                  Released     sends the other sockets, and go
//	Starting…    failed                     Stopping     kills the process later, unless it exits
//	Starting…    Fail (deadline)            Stopping     sends stop
//	Waiting, Due Abandon (master stops)     Ended        answers
//	Starting…    Abandon (master stops)     Stopping     sends stop
//	Stopping     failed                     Stopping
//	Stopping     Abandon                    Stopping     sends stop again
//	Starting…    End(nil): ready byte       Retired      retires: its workers drain
//	Starting…    End(err): process exited   Ended        serves on
//
// "Starting…" stands for Starting to Stopping. Events that are not in the table change
// nothing. Retired follows from the ready byte alone: a new master that was told to stop
// too late has taken over all the same.
type Upgrade struct {
	state     UpgradeState
	pid       int       // of the new master; 0 before hello
	err       error     // why the upgrade fails
	acked     bool      // the new master has said that it is going to exit
	lastID    int       // of the snapshot that was sent after hello
	announced bool      // the service manager is told the new master's pid, or was
	released  *Snapshot // sent with "go"
}

// Action is what the master must do after an event.
type Action int

// The actions of the old master, and then those of the new one.
const (
	None Action = iota

	Introduce // send the sockets and the snapshot
	Announce  // tell the service manager the new master's pid, then call Announced
	SendStop  // send stop, and kill the process later unless it exits
	AwaitExit // the process is going to exit: kill it later unless it does
	Answer    // the upgrade has ended before it began: answer those who asked for it

	AdoptSocket  // add the message's socket to the table
	AdoptPair    // give the message's end of a pair to a worker
	AdoptLease   // grant no lease before the message's pipe has ended
	AdoptShared  // keep the message's file for the workers
	AdoptRelease // keep the message's executable to roll back to
	Lend         // send the sockets of the table
	AdoptGiven   // add the message's socket to the inherited ones
	Begin        // adopt the snapshot and start the workers
	PassOn       // send the message's signal to the workers
	CatchUp      // do what the message's snapshot asks for
	TakeOver     // signal ready to the old master, then call TookOver
	Withdraw     // report failed, stop the workers and exit
	StopPool     // the master has taken over already: stop as for a signal
	Abort        // the old master is gone and has sent no snapshot: exit
)

// State returns the state.
func (u *Upgrade) State() UpgradeState { return u.state }

// PID returns the new master's pid, or 0 before it has said hello.
func (u *Upgrade) PID() int { return u.pid }

// WasAnnounced reports whether the service manager was, or is being, told the new master's pid.
func (u *Upgrade) WasAnnounced() bool { return u.announced }

func (u *Upgrade) running() bool { return u.state >= Starting && u.state <= Stopping }

// ParentGone says that this master's own predecessor has exited, and reports whether Start
// may be called.
func (u *Upgrade) ParentGone() bool {
	if u.state != Waiting {
		return false
	}
	u.state = Due
	return true
}

// Start reports whether the new process is to be started now.
func (u *Upgrade) Start() bool {
	if u.state != Due {
		return false
	}
	u.state = Starting
	return true
}

// Receive takes a message from the new master.
func (u *Upgrade) Receive(m *Message) Action {
	switch {
	case !u.running():
	case m.Kind == Hello:
		return u.hello(m)
	case m.Kind == Failed:
		return u.failed(m.Err())
	case m.Kind == Ready && u.state == Introduced:
		u.state, u.announced = Announcing, true
		return Announce
	}
	return None
}

// failed takes the new master's word that it is going to exit.
func (u *Upgrade) failed(err error) Action {
	stopping := u.state == Stopping
	u.acked = true
	u.fail(err)
	if stopping {
		return None // SendStop or AwaitExit was the answer to what came first
	}
	return AwaitExit
}

func (u *Upgrade) hello(m *Message) Action {
	if u.pid == 0 {
		u.pid = m.PID
	}
	switch {
	case u.state != Starting:
		return None
	case m.Version < Version:
		return u.Fail(&VersionError{Got: m.Version})
	}
	u.state = Introduced
	return Introduce
}

// Reserve returns the last worker id for the snapshot, and the one from which this master
// counts on: lastID is its own.
func (u *Upgrade) Reserve(lastID int) (snapshot, own int) {
	u.lastID = lastID
	return lastID, lastID + idBlock
}

// FinalID returns the last worker id for the snapshot that is sent with "go". lastID is
// this master's own: above the reserved ids if it has started workers since Reserve.
func (u *Upgrade) FinalID(lastID int) int {
	if lastID > u.lastID+idBlock {
		return lastID
	}
	return u.lastID
}

// Announced says that the service manager knows the new pid, and reports whether "go" is
// to be sent, with s.
func (u *Upgrade) Announced(s *Snapshot) bool {
	if u.state != Announcing {
		return false
	}
	u.state, u.released = Released, s
	return true
}

// Late returns the snapshot for a Late message: what the master was asked for since "go",
// where now is its snapshot. It returns nil if there is nothing.
func (u *Upgrade) Late(now *Snapshot) *Snapshot {
	if u.released == nil {
		return nil
	}
	then := u.released
	now.LastID = then.LastID
	now.Scaled = now.Workers != then.Workers
	now.Reload = now.Reload && (!then.Reload || now.triesOtherwise(then))
	if !now.Scaled && !now.Reload && now.Drained == then.Drained {
		return nil
	}
	return now
}

// triesOtherwise reports whether the reload that waits is to be tried in another way than at the time of then.
func (s *Snapshot) triesOtherwise(then *Snapshot) bool {
	return s.Trial != nil && (then.Trial == nil || *s.Trial != *then.Trial)
}

// Fail says that the upgrade must fail, because of err. Only the first failure counts.
func (u *Upgrade) Fail(err error) Action {
	if !u.running() || u.err != nil {
		return None
	}
	u.fail(err)
	return SendStop
}

func (u *Upgrade) fail(err error) {
	if u.err == nil {
		u.err = err
	}
	u.state = Stopping
}

// Abandon says that this master has been told to stop, and the new one must stop too.
func (u *Upgrade) Abandon(err error) Action {
	switch {
	case u.running():
		u.fail(err)
		return SendStop
	case u.state == Waiting || u.state == Due:
		u.state, u.err = Ended, err
		return Answer
	}
	return None
}

// MayKill reports whether the new process, which was told to stop a while ago, may be
// killed: at the first deadline only if it has not said that it is going to exit.
func (u *Upgrade) MayKill(last bool) bool { return u.running() && (last || !u.acked) }

// End says how the attempt ended: nil if the new master has taken over, or why the process
// could not be started or has exited. It returns why the upgrade has failed, or nil.
func (u *Upgrade) End(err error) error {
	if err == nil {
		u.state = Retired
		return nil
	}
	u.state = Ended
	if u.err != nil {
		return u.err // says more than that the process has exited
	}
	return err
}

const (
	// stopGrace is how long a new master may take to exit when it was told to stop at once.
	stopGrace = time.Second
	// leaveGrace is how much longer it may take otherwise than its workers may drain: it begins to end those that don't end
	// by themselves a second after that (see reload), and must not be killed before it has.
	leaveGrace = 2 * time.Second
)

// deadline returns how long the new master may take until it has taken over, or 0 for no
// limit. Its workers have ReadyTimeout and MinUptime, and its main has ReadyTimeout before.
func deadline(p reload.Policy) time.Duration {
	if d := reload.Sum(p.ReadyTimeout, p.ReadyTimeout, p.MinUptime); d != reload.NoLimit {
		return d
	}
	return 0
}

// killTimes returns how long after a stop the new process is killed: if it has not said that
// it is going to exit, and in any case.
func killTimes(p reload.Policy, atOnce bool) (unacked, last time.Duration) {
	if atOnce {
		return stopGrace, stopGrace
	}
	return max(p.KillAfter, 0), reload.Sum(leaveGrace, max(p.Grace, p.StopGrace), p.KillAfter, p.KillAfter)
}
