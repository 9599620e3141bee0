package master

import (
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/reload"
)

// reconcile runs after every event: it begins the changes that may begin, carries out the
// steps of the policy until there are none, and sets the timer for when to ask again.
func (l *loop) reconcile() {
	wake := l.reconcileForked()
	for {
		l.beginWaiting()
		if l.pool == nil || l.state.Phase() == reload.PhasePreparing {
			break
		}
		steps, next := l.nextSteps(time.Now())
		if len(steps) == 0 {
			wake = reload.Earlier(wake, next)
			break
		}
		for _, s := range steps {
			l.carryOut(s)
		}
	}
	l.timer.Set(wake)
	l.report()
	l.keep()
}

// nextSteps returns what the policy wants done with the pool, and when to ask again.
func (l *loop) nextSteps(now time.Time) ([]reload.Step, time.Time) {
	wake := l.checkReady(now)
	steps, next := l.sys.next(l.rota, l.pool.policy, l.state.Goal(l.pool.goal), now)
	return steps, reload.Earlier(wake, next)
}

// reconcileForked ends those of Fork's workers that were told to leave and don't. To the
// policy they are a pool that stops because it was replaced.
func (l *loop) reconcileForked() (wake time.Time) {
	if _, _, leaving := l.leaving.Count(); leaving == 0 {
		return wake
	}
	steps, wake := l.sys.next(l.leaving, l.cfg.policy(), reload.Goal{Stop: true, Replaced: true}, time.Now())
	for _, s := range steps {
		l.carryOut(s)
	}
	if len(steps) > 0 {
		return l.reconcileForked()
	}
	return wake
}

// checkReady marks the workers that have become ready, and returns when to check again.
func (l *loop) checkReady(now time.Time) (wake time.Time) {
	ready, wake := l.pool.readiness.Update(l.rota.Undecided(), l.pool.policy, l.isEstablished(), now)
	for _, r := range ready {
		m := l.members.Get(r.ID)
		l.changed(m)
		l.lines.Ready(r, m.pid(), l.sockets.Addresses(r.ID))
		l.balancer.Start()
		if m.hello != nil && m.hello.Pings {
			l.care.AskOnTrial(&m.care, l.holdOff(m))
		}
	}
	return wake
}

func (l *loop) isEstablished() bool { return l.state.Goal(l.pool.goal).Established }

// carryOut carries out a step of the policy.
func (l *loop) carryOut(s reload.Step) {
	m := l.members.Get(s.ID)
	switch s.Do {
	case reload.Disconnect:
		m.Dismissed = true
		l.disconnect(s.ID, s.Within)
	case reload.Hurry:
		l.bound(m, s.Within)
	case reload.Terminate:
		m.Termed = time.Now()
		l.force(m, syscall.SIGTERM)
	case reload.Kill:
		m.Killed = time.Now()
		l.force(m, os.Kill)
		l.after(reload.UnkillableAfter, l.leaveUnkillable)
	case reload.Late:
		m.Late = time.Now()
		l.lines.Late(&m.Member, m.pid(), l.pool.readiness.Missing(&m.Member, true))
	case reload.Forget:
		l.forget(m)
		return
	default:
		if l.pool != nil {
			l.carryOutGoal(s, m)
		}
	}
	l.changed(m)
}

// carryOutGoal carries out a step that starts a worker or is about the whole pool.
func (l *loop) carryOutGoal(s reload.Step, m *member) {
	switch s.Do {
	case reload.Start:
		l.startPooled(s)
	case reload.Establish:
		l.established()
	case reload.Fail:
		l.failStart(m)
	case reload.Prove:
		l.on(reload.EventProven)
	case reload.Complete:
		l.completeRollout()
	case reload.Abort:
		l.abortRollout(m, s.Err)
	case reload.RolledBack:
		l.rolledBack()
	case reload.Stopped:
		l.on(reload.EventWorkersGone)
	}
}

func (l *loop) startPooled(s reload.Step) {
	if old := l.members.Get(s.ID); old != nil {
		l.care.Recycle(&old.care, "age") // unless it has another reason
	}
	m := l.newMember(s.Slot, l.pool.generations[s.Generation])
	m.pooled, m.Crashes = true, s.Crashes
	l.rota.Add(&m.Member)
	l.spawn(m, nil)
}

// leaveUnkillable ends a stop in which only workers are left that the kernel can't end.
func (l *loop) leaveUnkillable() {
	if left := reload.Unkillable(l.rota.Members(), time.Now()); left > 0 && l.state.Phase().Stopping() {
		l.log.Error("rota: workers can't be killed, the master leaves them", "workers", left)
		l.on(reload.EventWorkersGone)
	}
}

// force signals a worker that has not ended in time.
func (l *loop) force(m *member, sig os.Signal) {
	l.lines.Forced(&m.Member, m.pid(), sig, m.signal(sig))
}
