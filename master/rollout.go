package master

import (
	"time"

	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/reload"
)

// rollout is one reload under way.
type rollout struct {
	began   time.Time
	results mailbox.Answers
	err     error // it has failed, and is being rolled back
}

// reload is Reload.
func (l *loop) reload(result chan error) error {
	l.crowd()
	answer := l.begin(reload.ChangeReload)
	if err := refusals[answer]; err != nil {
		return err
	}
	l.pool.waiting = append(l.pool.waiting, result)
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
	pooled := l.pooled()
	l.state = l.state.SetCrowded(p.policy.Crowded(p.goal.Workers, pooled))
	before := p.held
	if p.held = l.state.Held(); p.held && !before {
		logline.Rollout{Logger: l.log}.Waits(reload.Draining(pooled))
	}
}

// startReload prepares the next generation. A rollout that is being rolled back is over for
// those who wait for it.
func (l *loop) startReload() {
	p := l.pool
	l.answerRollout()
	p.rollout = &rollout{began: time.Now(), results: p.waiting}
	p.waiting = nil
	l.lastGen++
	l.log.Info("rota: reload", "generation", l.lastGen)
	l.systemd.Reloading()
	l.prepare(l.lastGen, func(g *generation, err error) {
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
		p.generations.Add(g)
		l.care.WatchMemory(g.Config.MaxMemory)
		p.policy = g.Config.policy()
		p.goal.Next = g.Number
		l.on(reload.EventPrepared)
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
	p.goal.Generation, p.goal.Next = p.goal.Next, 0
	p.generations.DropBelow(p.goal.Generation)
	l.logRollout()
	l.closeUnused()
	l.answerRollout()
	l.on(reload.EventCompleted)
}

// abortRollout begins the roll-back, because worker m of the new generation has failed.
func (l *loop) abortRollout(m *member, why error) {
	p := l.pool
	why = reload.Explain(why, m.exit.String(), m.exit.Err, p.readiness.Missing(&m.Member, true))
	p.generations.Drop(p.goal.Next)
	p.goal.Next = 0
	p.rollout.err = &reload.Error{Worker: m.ID, Slot: m.Slot, Generation: m.Generation, PID: m.pid(), Err: why, Stderr: m.worker.output.LastLines()}
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
