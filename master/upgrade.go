package master

import (
	"os"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// upgrade is one that was asked for. The Attempt carries it out, and calls the methods
// below, which make an upgrade a successor.AttemptOwner.
type upgrade struct {
	*successor.Attempt
	l       *loop
	results mailbox.Answers
	began   time.Time
}

// requestUpgrade is Upgrade. An upgrade first waits for this master's own predecessor to
// exit. Reloads continue meanwhile: the predecessor may have a long download to finish.
func (l *loop) requestUpgrade(by string, result chan error) error {
	if err := refusals[l.state.CanBegin(reload.ChangeUpgrade)]; err != nil {
		return err
	}
	if l.sys.pid() == 1 {
		return ErrPID1
	}
	if l.upgrade == nil {
		u := &upgrade{l: l, began: time.Now()}
		u.Attempt = &successor.Attempt{Owner: u, Loop: successor.Loop(l.m.loop.Functions()), Sockets: l.sockets, Shared: &l.shared, System: l.sys.masters}
		l.upgrade = u
		u.Await(l.ctx)
	}
	l.upgrade.results = append(l.upgrade.results, result)
	l.book.Ask(status.Upgrade, by)
	if l.begin(reload.ChangeUpgrade) == reload.Begins {
		l.startUpgrade()
	}
	return nil
}

func (l *loop) startUpgrade() {
	l.book.Begin(status.Upgrade, time.Now(), status.Change{})
	l.log.Info("rota: upgrade", "by", l.book.By(status.Upgrade))
	l.upgrade.Start()
	l.supersedeUpgrade()
}

// supersedeUpgrade gives up an upgrade that seems to hang if a reload waits for it.
func (l *loop) supersedeUpgrade() {
	if l.state.Phase() == reload.PhaseUpgrading && l.state.Waiting(reload.ChangeReload) {
		l.upgrade.Supersede(l.pool.policy.UpgradeHangsAfter(l.rota.SlowestStart()))
	}
}

// abandonUpgrade fails the upgrade, if there is one, because this master has been told to
// stop.
func (l *loop) abandonUpgrade(atOnce bool) {
	if l.upgrade != nil {
		l.upgrade.Abandon(ErrStopping, atOnce)
	}
}

func (u *upgrade) Policy() reload.Policy { return u.l.cfg.policy().WithDefaults() }
func (u *upgrade) Serving() bool         { return u.l.state.Phase().Running() }
func (u *upgrade) Due()                  { u.l.on(reload.EventPredecessorGone) }
func (u *upgrade) TakeBack()             { u.l.systemd.MainPID(os.Getpid()) }
func (u *upgrade) GiveState(slot int, pipe *descriptor.FD) {
	u.l.giveState(reload.Member{Slot: slot}, pipe)
}

func (u *upgrade) Introduced(pid, lastID int) {
	u.l.systemd.Next(pid)
	u.l.log.Info("rota: upgrade: new master is there", "pid", pid)
	u.l.lastID = lastID
}

func (u *upgrade) Announce(pid int) error {
	u.l.systemd.MainPID(pid)
	return u.l.systemd.Flush()
}

func (u *upgrade) Snapshot() *successor.Snapshot { return u.l.snapshot() }

// snapshot returns what the next master is to know.
func (l *loop) snapshot() *successor.Snapshot {
	if l.pool == nil {
		return nil
	}
	return &successor.Snapshot{
		Workers: l.pool.goal.Workers, Scaled: l.scaled, Generation: l.lastGen, LastID: l.lastID,
		Served: l.pool.readiness.Served(), Needed: l.pool.readiness.Needed(), Ports: l.sockets.Ports(),
		Reload: len(l.pool.waiting) > 0, Trial: l.pool.trial, By: l.book.Asked(status.Reload), Watchdog: l.systemd.Watchdog(), Tickets: l.tickets.All(), Counters: l.counts.Total(), History: l.book.All(), Tallies: l.book.Tallies().All(),
		Stored: l.store.Names(), Drained: l.state.Drained(), PIDFile: l.pidFile.Left(l.cfg.PIDFile),
	}
}

func (u *upgrade) Pairs(send func(slot int, pair *descriptor.FD)) {
	for _, m := range u.l.members.All() {
		if m.pooled && m.serving() && m.moves() {
			u.l.moves.Pair(&m.care, func(pair *descriptor.FD) { send(m.Slot, pair) })
		}
	}
}

func (u *upgrade) Ended(err error) {
	u.l.upgrade = nil
	if err != nil {
		u.failed(&UpgradeError{PID: u.PID(), Err: err})
		return
	}
	u.retire()
}

// retire drains this master's workers. The PID file, and systemd, are the new master's from
// now on.
func (u *upgrade) retire() {
	l := u.l
	l.log.Info("rota: upgrade done, this master leaves", "new", u.PID(), "took", time.Since(u.began).Round(time.Millisecond))
	l.leases.Retire()
	l.m.last.Keep(l.serving(), l.sockets.AwaitOwn)
	l.book.End(status.Upgrade, time.Now(), u.PID(), nil)
	l.sockets.RetireOwn()
	l.pidFile.Disown()
	l.control.Disown()
	l.systemd.Silence()
	u.results.Send(nil)
	if l.state.Phase() == reload.PhaseUpgrading { // otherwise both masters stop
		l.log.Info("rota: stop")
		l.pool.waiting.Send(reload.ErrLeft)
		l.pool.waiting = nil
	}
	l.on(reload.EventUpgraded)
}

func (u *upgrade) failed(err error) {
	l := u.l
	l.systemd.Next(0)
	l.failed = err
	l.book.End(status.Upgrade, time.Now(), u.PID(), err)
	l.log.Error("rota: upgrade failed, this master keeps serving", "after", time.Since(u.began).Round(time.Millisecond), "err", err)
	u.results.Send(err)
	l.on(reload.EventUpgradeFailed)
}
