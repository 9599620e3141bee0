package successor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/sharedfile"
	"github.com/rota-go/rota/reload"
)

// Follower is a takeover that the new master carries out: it reads the old master's
// messages, answers them and keeps the deadlines, as its Takeover decides. The fields are
// set before Follow. The methods are called on the goroutine of Loop, where the Follower
// calls those of Owner and Sockets.
type Follower struct {
	Owner   FollowerOwner
	Loop    Loop
	Sockets Sockets
	Shared  *sharedfile.Table
	System  System

	takeover    Takeover
	link        *Link // closed when it has ended, or by Withdrawn
	established bool  // the workers were ready
	over        bool  // this master has taken over or given up
}

// FollowerOwner is the new master, as a Follower needs it.
type FollowerOwner interface {
	// Serving reports whether this master has not been told to stop.
	Serving() bool
	// AwaitsAnswer reports whether a worker was asked for a sign of life that hasn't come.
	AwaitsAnswer() bool
	// Begin continues from the old master's snapshot, and starts the workers.
	Begin(*Snapshot)
	// TakingOver says that there is no way back from now on.
	TakingOver()
	// TookOver says that this is the master now. The old master has died if err isn't nil.
	TookOver(err error)
	// CatchUp does what the old master was asked for and has left to this one.
	CatchUp(*Snapshot)
	// AwaitLeases grants no lease to workers before the pipe has ended of which it gets the end,
	// which it owns.
	AwaitLeases(end *descriptor.FD)
	// KeepRelease gets an executable of the old master, which it owns, to roll back to.
	KeepRelease(generation int, executable *descriptor.FD)
	// Receive has a worker take connections of the old master's worker of a slot, over its
	// end of a pair, which it owns.
	Receive(slot int, pair *descriptor.FD)
	// Signal sends the workers a signal.
	Signal(os.Signal)
	// Withdraw stops this master because of err: the old one goes on serving.
	Withdraw(err error)
	// Abort ends this master because of err, before Begin: the old one has died.
	Abort(err error)
	// Stop stops this master as a signal does. KillWorkers kills its workers.
	Stop()
	KillWorkers()
}

// Follow follows the old master on the other end of l, and closes l.
func (f *Follower) Follow(l *Link) {
	f.link = l
	f.Loop.Work(func() func() {
		_ = l.Read(func(m *Message, files []*descriptor.FD) {
			f.Loop.Post(func() { f.receive(m, files) })
		})
		return f.lost
	})
}

func (f *Follower) receive(m *Message, files []*descriptor.FD) {
	f.checkStopped()
	switch do := f.takeover.Receive(m); {
	case do == AdoptGiven:
		f.Sockets.Inherit(m.Given, files)
	case do == AdoptSocket && (!f.over || f.takeover.State() == Owner):
		f.adopt(m.Socket, files)
	case do == AdoptLease && len(files) == 1:
		f.Owner.AwaitLeases(files[0])
	case do == AdoptShared && len(files) == 1:
		f.Shared.Adopt(m.Name, m.Spare, files[0])
	case do == AdoptRelease && len(files) == 1:
		f.Owner.KeepRelease(m.Generation, files[0])
	case do == AdoptPair && len(files) == 1:
		f.Owner.Receive(m.Slot, files[0])
	default:
		descriptor.CloseAll(files)
		f.obey(do, m)
	}
}

// adopt takes a socket of the old master. One that comes after the takeover was opened
// during it.
func (f *Follower) adopt(payload json.RawMessage, files []*descriptor.FD) {
	err := f.Sockets.Restore(payload, files, f.takeover.State() > Dialed)
	switch {
	case f.takeover.State() == Owner:
		f.Sockets.OwnFiles()
	case err != nil:
		f.withdraw(err)
	}
}

// obey does what doesn't need m's files.
func (f *Follower) obey(do Action, m *Message) {
	switch do {
	case Begin:
		f.Owner.Begin(m.State)
	case TakeOver:
		f.takeOver()
	case CatchUp:
		f.Owner.CatchUp(m.State)
	case PassOn:
		f.Owner.Signal(syscall.Signal(m.Signal))
	case Lend:
		f.lend()
	case Withdraw, StopPool:
		f.stop(do)
	}
	if m.Kind == Stop && m.AtOnce {
		f.Owner.KillWorkers()
	}
}

// lend sends the old master the sockets of this one, which a worker of it may want too. One that
// can't be sent is in use there.
func (f *Follower) lend() {
	_ = f.Sockets.SendOpen(map[[2]int]bool{}, func(payload json.RawMessage, fd *descriptor.FD) {
		f.link.Send(&Message{Kind: Socket, Socket: payload}, fd)
	})
}

// stop does what a stop message asks for.
func (f *Follower) stop(do Action) {
	if do == Withdraw && !f.over {
		f.withdraw(errors.New("it was not wanted any more"))
		return
	}
	f.Owner.Stop()
}

// checkStopped tells the Takeover if this master stops.
func (f *Follower) checkStopped() {
	if !f.Owner.Serving() {
		f.takeover.Stopped()
	}
}

// Started says that the workers are being started. They have limit to become ready.
func (f *Follower) Started(limit time.Duration) {
	if limit == reload.NoLimit {
		return
	}
	f.Loop.After(limit, func() {
		if !f.over && !f.established {
			f.withdraw(fmt.Errorf("its workers are %w", reload.ErrNotReady))
		}
	})
}

// Established says that all workers are ready. They must live for minUptime, as in a reload,
// and then give a sign of life within answer.
func (f *Follower) Established(minUptime, answer time.Duration) {
	f.established = true
	f.Loop.After(max(minUptime, 0), func() { f.awaitAnswers(answer) })
}

// answerPoll is how often to look whether the answers have come. Nearly always they have.
const answerPoll = 50 * time.Millisecond

func (f *Follower) awaitAnswers(within time.Duration) {
	switch {
	case f.over || !f.Owner.AwaitsAnswer():
		f.passTrial()
	case within > 0:
		f.Loop.After(answerPoll, func() { f.awaitAnswers(within - answerPoll) })
	case f.takeover.OnTrial():
		f.withdraw(fmt.Errorf("one of its workers: %w", reload.ErrNoAnswer))
	}
}

// passTrial says that this master is ready to take over.
func (f *Follower) passTrial() {
	f.checkStopped()
	if f.over || !f.takeover.Passed() {
		return
	}
	f.link.Send(&Message{Kind: Ready})
	if f.takeover.Next() == TakeOver {
		f.takeOver()
	}
}

// WorkerDied says that a worker has died, as err says. The takeover fails unless this
// master has taken over.
func (f *Follower) WorkerDied(err error) {
	if f.takeover.OnTrial() {
		f.withdraw(err)
	}
}

// withdraw leaves the service to the old master.
func (f *Follower) withdraw(err error) {
	if f.Owner.Serving() {
		f.link.Send(Failure(err))
		f.Owner.Withdraw(err)
	}
}

// lost closes this master's end of the link when the old one's is closed. If this master
// has not taken over yet, the old one has died.
func (f *Follower) lost() {
	f.link.Abort()
	f.Sockets.NoneComes()
	if f.over {
		return
	}
	f.checkStopped()
	switch f.takeover.Lost() {
	case Abort:
		f.Owner.Abort(errors.New("the old master is gone, and has told nothing"))
	case TakeOver:
		f.takeOver()
	}
}

// takeOver writes the ready byte, on which the old master retires. This one owns the files
// of the sockets then.
func (f *Follower) takeOver() {
	f.Owner.TakingOver()
	f.Loop.Work(func() func() {
		err := f.System.SignalReady()
		return func() { f.tookOver(err) }
	})
}

func (f *Follower) tookOver(err error) {
	f.over = true
	f.takeover.TookOver()
	f.Sockets.OwnFiles()
	f.Owner.TookOver(err)
	for _, s := range f.takeover.Left() {
		f.Owner.CatchUp(s)
	}
}

// AskState has the old master's worker of a slot write what it leaves to a pipe, which AskState
// owns.
func (f *Follower) AskState(slot int, pipe *descriptor.FD) {
	f.link.Send(&Message{Kind: Ask, Slot: slot}, pipe)
}

// Withdrawn tells the old master why this one exits without having taken over, and closes the
// link. err is nil if this master was told to stop.
func (f *Follower) Withdrawn(err error) {
	f.over = true
	f.takeover.Stopped()
	f.link.Send(Failure(err))
	f.Loop.Work(func() func() { f.link.Close(); return func() {} })
}
