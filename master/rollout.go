package master

import (
	"cmp"
	"os"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/judge"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// rollout is one reload under way.
type rollout struct {
	began   time.Time
	results mailbox.Answers
	trial   *reload.Trial // nil: as configured
	err     error         // it has failed, and is being rolled back
}

// reload is Reload, and ReloadCanary with a trial.
func (l *loop) reload(by string, t *reload.Trial, result chan error) error {
	l.crowd()
	answer := l.begin(reload.ChangeReload)
	if err := refusals[answer]; err != nil {
		return err
	}
	l.pool.waiting = append(l.pool.waiting, result)
	l.pool.trial = cmp.Or(t, l.pool.trial)
	l.book.Ask(status.Reload, by)
	if answer == reload.Begins {
		l.startReload()
	}
	l.supersedeUpgrade()
	return nil
}

// crowd tells the state whether too many workers drain for a reload, and logs when one begins
// to wait for them.
func (l *loop) crowd() {
	p := l.pool
	if p == nil {
		return
	}
	draining := l.rota.Draining()
	l.state = l.state.SetCrowded(p.policy.Crowded(p.goal.Workers, draining))
	before := p.held
	if p.held = l.state.Held(); p.held && !before {
		logline.Rollout{Logger: l.log}.Waits(draining)
	}
}

// startReload prepares the next generation. A rollout that is being rolled back is over for
// those who wait for it.
func (l *loop) startReload() {
	p := l.pool
	l.beginRollout(false)
	l.log.Info("rota: reload", "generation", l.lastGen, "by", l.book.By(status.Reload))
	l.prepare(l.lastGen, nil, func(g *generation, err error) {
		if l.pool != p {
			g.Release()
			return
		}
		if err != nil {
			p.rollout.err = &reload.Error{Generation: l.lastGen, Err: err}
			l.logRollout()
			l.answerRollout()
			l.on(reload.EventPrepareFailed)
			return
		}
		l.rollOut(g)
	})
}

// beginRollout gives the next generation its number, for all who wait for a reload.
func (l *loop) beginRollout(back bool) {
	p := l.pool
	l.answerRollout()
	p.rollout = &rollout{began: time.Now(), results: p.waiting, trial: p.trial}
	p.waiting, p.trial, p.goal = nil, nil, p.goal.Undecided()
	l.lastGen++
	l.book.Begin(status.Reload, p.rollout.began, status.Change{Generation: l.lastGen, Back: back})
	l.systemd.Reloading()
}

// rollOut begins to replace the workers by those of g.
func (l *loop) rollOut(g *generation) {
	p := l.pool
	p.generations.Add(g)
	l.book.Rolling(g.Runs())
	l.care.WatchMemory(g.Config.MaxMemory)
	p.policy = g.Config.policy().Try(p.rollout.trial)
	p.goal.Next = g.Number
	l.on(reload.EventPrepared)
	l.trial.Start(p.policy.Canary, judge.Judge{Requests: g.Config.CanaryRequests})
}

// onTrial returns the workers that serve while canaries are on trial; ok is false when the rollout is over.
func (l *loop) onTrial() (all []judge.Worker, ok bool) {
	if l.state.Phase() != reload.PhaseRollingOut {
		return nil, false
	}
	if p := l.pool; l.rota.Tries(p.policy, l.state.Goal(p.goal), time.Now()) {
		all = child.OnTrial(l.patients(), p.goal.Next, &l.counts)
	}
	return all, true
}

// rollback is Rollback. It never waits: what it would go back to could be another release by then.
func (l *loop) rollback(by string, result chan error) error {
	switch answer := l.state.CanRollBack(); {
	case answer.Refused():
		return refusals[answer]
	case answer != reload.Begins:
		return ErrBusy
	case l.pool.before == nil || !l.pool.before.IsKept():
		return ErrNoRelease
	}
	l.state = l.state.SetCrowded(false)
	l.begin(reload.ChangeReload)
	l.book.Ask(status.Reload, by)
	l.pool.waiting = append(l.pool.waiting, result)
	l.beginRollout(true)
	l.log.Info("rota: rollback", "generation", l.lastGen, "of", l.pool.before.Number, "by", l.book.By(status.Reload))
	l.rollOut(l.pool.before.Again(l.lastGen))
	return nil
}

// Releases sends the executables of this release and of the one before.
func (u *upgrade) Releases(send func(int, *descriptor.FD)) {
	p := u.l.pool
	p.generations[p.goal.Generation].Send(send)
	p.before.Send(send)
}

func (t *takeover) KeepRelease(number int, executable *descriptor.FD) {
	t.earlier.Keep(number, executable)
}

// keepBefore makes what the old master has sent the release before, to which Rollback returns with the
// configuration of this one.
func (l *loop) keepBefore(earlier child.Earlier) {
	p, cfg := l.pool, l.cfg
	if p == nil {
		earlier.Close()
		return
	}
	prepare := func(n int, f *os.File) (*generation, error) { return l.sys.prepare(n, cfg, f) }
	child.Before(p.generations[p.goal.Generation], earlier, prepare, l.work, func(g *generation) {
		if l.pool != p || p.before != nil {
			g.Release()
			return
		}
		p.before = g
	})
}

// answerRollout answers the calls of Reload that wait for the rollout.
func (l *loop) answerRollout() {
	p := l.pool
	if p.rollout == nil {
		return
	}
	p.rollout.results.Send(p.rollout.err)
	p.rollout = nil
	l.garbage.ReleaseSoon()
}

func (l *loop) logRollout() {
	p := l.pool
	l.failed = p.rollout.err
	logline.Rollout{Logger: l.log}.Ended(p.goal.Generation, p.goal.Workers, p.rollout.began, l.failed)
	l.book.End(status.Reload, time.Now(), 0, l.failed)
}

// holdOff returns how long a new worker accepts no connections from shared sockets, if it
// is one of a rollout or of a successor.
func (l *loop) holdOff(m *member) time.Duration {
	if l.pool == nil || !m.pooled || !l.state.Following() && m.Generation != l.pool.goal.Next {
		return 0
	}
	return l.pool.policy.HoldOff()
}

// completeRollout: the new generation serves every slot.
func (l *loop) completeRollout() {
	p := l.pool
	p.before.Release()
	p.before = p.generations.Succeed(p.goal.Generation, p.goal.Next)
	p.goal.Generation, p.goal.Next = p.goal.Next, 0
	l.logRollout()
	l.trial.End()
	l.closeUnused()
	l.answerRollout()
	l.on(reload.EventCompleted)
}

// abortRollout begins the roll-back, because worker m of the new generation has failed. m is nil
// if somebody has asked for it.
func (l *loop) abortRollout(m *member, why error) {
	p := l.pool
	failed := &reload.Error{Generation: p.goal.Next, Err: why}
	if m != nil {
		failed.Worker, failed.Slot, failed.PID, failed.Stderr = m.ID, m.Slot, m.pid(), m.worker.output.LastLines()
		failed.Err = reload.Explain(why, m.exit.String(), m.exit.Err, p.readiness.Missing(&m.Member, true))
	}
	p.generations.Drop(p.goal.Next)
	p.goal.Next, p.rollout.err = 0, failed
	p.policy = p.generations[p.goal.Generation].Config.policy()
	l.logRollout()
	l.on(reload.EventAborted)
}

// rolledBack: the previous generation serves every slot again.
func (l *loop) rolledBack() {
	if r := l.pool.rollout; r != nil && r.err != nil { // not one that has begun meanwhile
		l.answerRollout()
	}
	l.on(reload.EventRolledBack)
}
