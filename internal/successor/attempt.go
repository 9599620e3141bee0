package successor

import (
	"context"
	"encoding/json"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/sharedfile"
	"github.com/rota-go/rota/reload"
)

// Attempt is an upgrade that the old master carries out: it starts the new process, sends
// and reads the messages, and keeps the deadlines, as its Upgrade decides. The fields are
// set before Await. The methods are called on the goroutine of Loop, where the Attempt calls
// those of Owner and Sockets, except for Owner.Announce.
type Attempt struct {
	Owner   AttemptOwner
	Loop    Loop
	Sockets Sockets
	Shared  *sharedfile.Table
	System  System

	upgrade      Upgrade
	ctx          context.Context // ends the wait for this master's own predecessor, and the start
	cancel       func()
	link         *Link           // nil until Start; closed by end
	mark         string          // of the new process
	sent         map[[2]int]bool // sockets, by id and slot
	shared       map[string]bool // files that were sent, by name
	stopDeadline func()
	started      time.Time
	patience     time.Time // until when binds under way are waited for; zero before
	superseded   bool      // if it seems to hang
	wanted       time.Time // when Want was sent last
}

// AttemptOwner is the old master, as an Attempt needs it.
type AttemptOwner interface {
	// Policy returns the policy of this master, with defaults filled in: its durations bound
	// the upgrade too.
	Policy() reload.Policy
	// Serving reports whether this master has not been told to stop.
	Serving() bool
	// Due says that this master's own predecessor has exited: Start may be called.
	Due()
	// Introduced says that the new master runs, as process pid. This master must not use
	// worker ids up to lastID any more.
	Introduced(pid, lastID int)
	// Announce tells the service manager the new master's pid, and waits until it is sent. If it
	// fails the upgrade does: the manager would take the end of this master for the end of the service.
	// It is called on another goroutine.
	Announce(pid int) error
	// TakeBack tells the service manager this master's pid, after Announce: the upgrade has failed.
	TakeBack()
	// Snapshot returns what this master knows, or nil if it has no workers to keep.
	Snapshot() *Snapshot
	// Leases returns the ends of the pipes that tell when no worker of this master, or one before
	// it, has a lease any more. They are the caller's.
	Leases() ([]*descriptor.FD, error)
	// Releases calls send with the executable of the workers of this master, and that of the release before, as
	// far as they are kept open, and the generations that have run them. send owns them.
	Releases(send func(generation int, executable *descriptor.FD))
	// Pairs lets the workers of this master move their connections, and calls send with the
	// slot of each and the other end of its pair, which send owns.
	Pairs(send func(slot int, pair *descriptor.FD))
	// GiveState has the worker of a slot write what it leaves to a pipe, which GiveState owns.
	GiveState(slot int, pipe *descriptor.FD)
	// Ended says that the attempt has ended: err is nil if the new master has taken over.
	Ended(err error)
}

// PID returns the new master's pid, or 0 before it has said hello.
func (a *Attempt) PID() int { return a.upgrade.PID() }

// Await waits until this master's own predecessor has exited or ctx ends, then calls
// Owner.Due.
func (a *Attempt) Await(ctx context.Context) {
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.sent, a.shared, a.stopDeadline = map[[2]int]bool{}, map[string]bool{}, func() {}
	a.Loop.Work(func() func() {
		a.System.AwaitParent(a.ctx)
		return func() {
			if a.upgrade.ParentGone() {
				a.Owner.Due()
			}
		}
	})
}

// Start starts the new master.
func (a *Attempt) Start() {
	a.upgrade.Start()
	a.started = time.Now()
	a.mark = newMark()
	mine, end, err := link.Pair()
	if err != nil {
		a.end(err)
		return
	}
	a.link = NewLink(mine)
	starting := func() { a.Loop.Post(a.startDeadline) }
	a.Loop.Work(func() func() {
		err := a.System.Start(a.ctx, end, a.mark, starting)
		return func() { a.end(err) }
	})
	a.Loop.Work(func() func() {
		_ = a.link.Read(func(m *Message, files []*descriptor.FD) {
			a.Loop.Post(func() { a.receive(m, files) })
		})
		return func() {}
	})
}

// startDeadline bounds the time that the new master may take.
func (a *Attempt) startDeadline() {
	if d := deadline(a.Owner.Policy()); d > 0 {
		a.stopDeadline = a.Loop.After(d, func() { a.fail(reload.ErrNotReady) })
	}
}

func (a *Attempt) receive(m *Message, files []*descriptor.FD) {
	if m.Kind == Ask && len(files) == 1 {
		a.Owner.GiveState(m.Slot, files[0])
		return
	}
	if m.Kind == Socket && a.upgrade.running() {
		_ = a.Sockets.Restore(m.Socket, files, false) // an error is that of a bind that goes on
		return
	}
	descriptor.CloseAll(files) // a new master has no other to give
	if !a.upgrade.running() {
		return
	}
	if m.Kind == Hello {
		forgetMark()
	}
	switch a.upgrade.Receive(m) {
	case Introduce:
		a.introduce()
	case Announce:
		a.announce()
	case SendStop:
		a.sendStop(&Message{Kind: Stop, Failed: true})
	case AwaitExit:
		_, last := killTimes(a.Owner.Policy(), false)
		a.killAfter(last, true)
	}
}

// introduce sends the new master all that it has to know.
func (a *Attempt) introduce() {
	s := a.Owner.Snapshot()
	var own int
	s.LastID, own = a.upgrade.Reserve(s.LastID)
	a.Owner.Introduced(a.PID(), own)
	a.Sockets.SendInherited(func(payload json.RawMessage, fd *descriptor.FD) {
		a.link.Send(&Message{Kind: Given, Given: payload}, fd)
	})
	a.sendSockets()
	a.sendLeases()
	a.sendShared()
	a.Owner.Releases(func(generation int, fd *descriptor.FD) {
		a.link.Send(&Message{Kind: Release, Generation: generation}, fd)
	})
	a.link.Send(&Message{Kind: State, State: s})
	a.Sockets.OnOpened(a.sendSockets) // a worker of the new master may want the same one
	a.Sockets.OnMissing(a.want)
}

// wantPause is how long the answer to a Want may take, at least.
const wantPause = 100 * time.Millisecond

// want asks for the sockets of the new master: a worker of this one wants an address that is in use.
func (a *Attempt) want() {
	if now := time.Now(); now.Sub(a.wanted) > wantPause {
		a.wanted = now
		a.link.Send(&Message{Kind: Want})
	}
}

func (a *Attempt) sendLeases() {
	ends, err := a.Owner.Leases()
	if err != nil {
		a.fail(err)
	}
	for _, fd := range ends {
		a.link.Send(&Message{Kind: Lease}, fd)
	}
}

// sendShared sends the files that the new master has not got yet. Its workers may have made one of the
// same name meanwhile, which they keep.
func (a *Attempt) sendShared() {
	err := a.Shared.Each(a.shared, func(name string, spare bool, fd *descriptor.FD) {
		a.link.Send(&Message{Kind: Shared, Name: name, Spare: spare}, fd)
	})
	if err != nil {
		a.fail(err)
	}
}

// sendSockets sends the sockets that the new master has not got yet.
func (a *Attempt) sendSockets() {
	err := a.Sockets.SendOpen(a.sent, func(payload json.RawMessage, fd *descriptor.FD) {
		a.link.Send(&Message{Kind: Socket, Socket: payload}, fd)
	})
	if err != nil {
		a.fail(err)
	}
}

// announce tells the service manager the new master's pid and then sends "go". The order
// matters: the manager may ignore a process that it doesn't know as the main one.
func (a *Attempt) announce() {
	if !a.Owner.Serving() {
		return
	}
	pid := a.PID()
	a.Loop.Work(func() func() {
		err := a.Owner.Announce(pid)
		return func() { a.announced(err) }
	})
}

// announced follows when the service manager knows the new master's pid, or doesn't read it. If the upgrade has failed meanwhile,
// it was told this one's too early.
func (a *Attempt) announced(err error) {
	if a.upgrade.State() == Ended {
		a.Owner.TakeBack()
	}
	if err != nil {
		a.fail(err)
	}
	a.sendGo()
}

// bindTimeout bounds how long an upgrade waits, before "go" and at its end, for sockets that
// are being opened for workers of this master: the new master could not open them, and gets
// them when they are open.
const bindTimeout = 3 * time.Second

// bindPoll is how often to look whether they are open. Hardly ever is there one.
const bindPoll = 10 * time.Millisecond

// awaitBinds reports whether sockets are still being opened, and has f called again then.
func (a *Attempt) awaitBinds(f func()) bool {
	if a.patience.IsZero() {
		a.patience = time.Now().Add(bindTimeout)
	}
	if !a.Sockets.Binding() || time.Now().After(a.patience) {
		a.patience = time.Time{}
		return false
	}
	a.Loop.After(bindPoll, f)
	return true
}

// sendGo lets the new master take over, unless the upgrade has failed meanwhile.
func (a *Attempt) sendGo() {
	if !a.upgrade.running() || !a.Owner.Serving() || a.awaitBinds(a.sendGo) {
		return
	}
	a.sendSockets()
	a.sendShared()
	s := a.Owner.Snapshot()
	s.LastID = a.upgrade.FinalID(s.LastID)
	if a.upgrade.Announced(s) {
		a.link.Send(&Message{Kind: Go, State: s})
	}
}

// Signal has the new master send its workers a signal too. Before its hello it has none.
func (a *Attempt) Signal(s os.Signal) {
	number, ok := s.(syscall.Signal)
	if state := a.upgrade.State(); ok && state >= Introduced && state <= Released {
		a.link.Send(&Message{Kind: Signal, Signal: int(number)})
	}
}

// fail fails an upgrade whose new master is at fault.
func (a *Attempt) fail(err error) {
	if a.upgrade.Fail(err) == SendStop {
		a.sendStop(&Message{Kind: Stop, Failed: true})
	}
}

// Abandon fails the upgrade with err, because this master has been told to stop. The new
// one stops gracefully or at once.
func (a *Attempt) Abandon(err error, atOnce bool) {
	switch a.upgrade.Abandon(err) {
	case Answer:
		a.end(err)
	case SendStop:
		a.sendStop(&Message{Kind: Stop, AtOnce: atOnce})
	}
}

// Supersede fails an attempt that is not over so long after its start, because a reload waits
// for it. Only the first call counts.
func (a *Attempt) Supersede(after time.Duration) {
	if a.superseded {
		return
	}
	a.superseded = true
	a.Loop.After(time.Until(a.started.Add(after)), func() { a.fail(reload.ErrSuperseded) })
}

// sendStop tells the new master to stop, gracefully or at once, and kills it if it takes
// too long. Its workers see the end of their link, and drain.
func (a *Attempt) sendStop(m *Message) {
	a.cancel()
	a.link.Send(m)
	unacked, last := killTimes(a.Owner.Policy(), m.AtOnce)
	a.killAfter(unacked, false)
	a.killAfter(last, true)
}

func (a *Attempt) killAfter(d time.Duration, last bool) {
	a.Loop.After(d, func() {
		if a.upgrade.MayKill(last) {
			a.Loop.Work(func() func() { a.System.Kill(a.mark); return func() {} })
		}
	})
}

// end ends the attempt: err is nil if the new master has taken over. From then on it owns
// the files of the sockets.
func (a *Attempt) end(err error) {
	err = a.upgrade.End(err)
	a.Sockets.OnMissing(nil)
	a.cancel()
	a.stopDeadline()
	if err == nil {
		a.sendLate()
		a.Owner.Pairs(func(slot int, pair *descriptor.FD) { a.link.Send(&Message{Kind: Pair, Slot: slot}, pair) })
		a.patience = time.Time{}
		a.sendRest()
	} else {
		a.Sockets.OwnFiles() // of the new master that is gone
		a.close()
		if a.upgrade.WasAnnounced() {
			a.Owner.TakeBack()
		}
	}
	a.Owner.Ended(err)
}

// sendRest leaves all sockets to the new master, those that were opened since "go" and those
// that are being opened included, and closes the link.
func (a *Attempt) sendRest() {
	a.sendSockets()
	a.Sockets.DisownFiles()
	if !a.awaitBinds(a.sendRest) {
		a.close()
	}
}

func (a *Attempt) close() {
	a.Sockets.OnOpened(nil)
	if a.link != nil {
		a.Loop.Work(func() func() { a.link.Close(); return func() {} })
	}
}

// sendLate sends what this master was asked for after "go", and leaves to the new one.
func (a *Attempt) sendLate() {
	now := a.Owner.Snapshot()
	if now == nil {
		return
	}
	if s := a.upgrade.Late(now); s != nil {
		a.link.Send(&Message{Kind: Late, State: s})
	}
}
