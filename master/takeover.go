package master

import (
	"cmp"
	"os"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// takeover is what a new master does until it has taken over. The Follower carries it out,
// and calls the methods below, which make a takeover a successor.FollowerOwner.
type takeover struct {
	*successor.Follower
	l       *loop
	began   time.Time
	earlier child.Earlier // releases of the old master
}

// follow starts the pool: at once in a process that has no predecessor, and otherwise when
// the predecessor's snapshot has come.
func (l *loop) follow() {
	link, ok, err := l.sys.masters.Predecessor()
	if !ok || err != nil {
		l.control.Open(l.cfg.Control, false)
		l.startAlone(err)
		return
	}
	l.sockets.Succeed()
	t := &takeover{l: l, began: time.Now()}
	t.Follower = &successor.Follower{Owner: t, Loop: successor.Loop(l.m.loop.Functions()), Sockets: l.sockets, Shared: &l.shared, System: l.sys.masters}
	l.takeover = t
	l.on(reload.EventFollowing)
	t.Follow(link)
}

// boundTakeover limits how long the workers of a successor may take to become ready. A first
// master's may take as long as they need, because there is nothing to fall back on.
func (l *loop) boundTakeover() {
	if l.takeover != nil {
		l.takeover.Started(l.pool.policy.WithDefaults().ReadyTimeout)
	}
}

// failOnDeath fails the takeover if a worker has died before this master has taken over.
func (l *loop) failOnDeath(m *member) {
	if l.takeover != nil && l.pool != nil && m.pooled && !m.Voluntary {
		l.takeover.WorkerDied(&StartError{Worker: m.ID, PID: m.pid(), Exit: m.exit})
	}
}

// reportGivenUp tells the old master why this one exits without having taken over. err is
// nil if it was told to stop.
func (l *loop) reportGivenUp(err error) {
	if t := l.takeover; t != nil {
		l.takeover = nil
		t.earlier.Close()
		t.Withdrawn(err)
	}
}

func (t *takeover) Serving() bool      { return t.l.state.Phase().Running() }
func (t *takeover) AwaitsAnswer() bool { return reload.AwaitsAnswer(t.l.rota.Members()) }
func (t *takeover) TakingOver()        { t.l.on(reload.EventTrialPassed) }

func (t *takeover) Begin(s *successor.Snapshot) {
	t.l.systemd.SetWatchdog(s.Watchdog)
	t.l.continueFrom(s)
	t.l.sockets.BeginOwn()
	t.l.startPool(nil)
}

// continueFrom takes over what another master knew.
func (l *loop) continueFrom(s *successor.Snapshot) {
	l.lastGen = s.Generation
	l.learn(s)
	l.sockets.RestorePorts(s.Ports)
	l.tickets.Adopt(s.Tickets)
	if s.Scaled {
		l.cfg.Workers, l.scaled = s.Workers, true
	}
	for slot, names := range s.Served {
		l.pool.readiness.Inherit(slot, names, s.Needed[slot])
	}
}

// learn takes over what another master knows, which changes until the end of an upgrade.
func (l *loop) learn(s *successor.Snapshot) {
	l.lastID = max(l.lastID, s.LastID)
	l.state = l.state.SetDrained(s.Drained)
	l.store.Holds(s.Stored)
	l.pidFile.Replaces(s.PIDFile)
	l.counts.Restore(s.Counters)
	l.book.Restore(s.History)
	l.book.Tallies().Restore(s.Tallies)
}

func (t *takeover) TookOver(err error) {
	l := t.l
	l.takeover = nil
	logline.Rollout{Logger: l.log}.TookOver(os.Getpid(), t.began, err)
	l.book.Tallies().Count(status.Upgrade, 0, "done")
	l.on(reload.EventTakenOver)
	l.leases.Unblock()
	l.sockets.ServeOwn()
	l.keepBefore(t.earlier)
	if l.pool != nil {
		l.closeUnused()
		l.pidFile.Write(l.cfg.PIDFile)
		l.control.Open(l.cfg.Control, true)
	}
}

func (t *takeover) CatchUp(s *successor.Snapshot) {
	l := t.l
	if l.pool == nil {
		return
	}
	l.learn(s)
	if s.Scaled && s.Workers != l.pool.goal.Workers {
		l.scale(s.Workers)
	}
	if s.Reload {
		_ = l.reload(cmp.Or(s.By, "the old master"), s.Trial, make(chan error, 1)) // the old master has answered its caller
	}
}

func (t *takeover) Receive(slot int, pair *descriptor.FD) {
	if to := t.l.moves.Receiver(reload.Member{Slot: slot}); to != nil {
		to.Process().TakeOver(pair)
		return
	}
	_ = pair.Close() // nothing was written to it
}

func (t *takeover) Withdraw(err error) {
	l := t.l
	l.log.Error("rota: no takeover, the old master keeps its place", "err", err)
	if l.state.Phase() != reload.PhasePreparing {
		l.log.Info("rota: stop")
	}
	l.failPool(err, reload.EventTakeoverFailed)
	l.abandonUpgrade(false)
}

func (t *takeover) Abort(err error)    { t.l.failPool(err, reload.EventPrepareFailed) }
func (t *takeover) Stop()              { t.l.stopPool() }
func (t *takeover) Signal(s os.Signal) { t.l.signal(s) }
func (t *takeover) KillWorkers()       { t.l.killAll() }
