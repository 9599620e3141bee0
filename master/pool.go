package master

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/reload"
)

// pool is what Run adds to the mechanism: a goal, and the steps that the policy
// takes towards it.
type pool struct {
	policy reload.Policy
	goal   reload.Goal
	result chan<- error // Run's
	err    error        // what Run will return

	generations    map[int]*generation
	readiness      reload.Readiness
	memoryCooldown map[int]time.Time // by slot: until when memory is not checked
	memoryWatched  bool              // watchMemory has set its timer

	preparing bool         // a reload looks its executable up
	roll      *roll        // under way, or rolling back
	waiting   []chan error // reloads that came during another
}

// roll is one reload under way.
type roll struct {
	began   time.Time
	results []chan error
	err     error // it has failed, and is rolling back
}

func (l *loop) runPool(result chan<- error) error {
	switch {
	case l.closing:
		return ErrClosed
	case l.pool != nil:
		return ErrRunning
	}
	l.pool = &pool{
		policy: l.cfg.policy(), result: result, preparing: true,
		generations: map[int]*generation{}, memoryCooldown: map[int]time.Time{},
	}
	l.log.Info("rota: master", "pid", os.Getpid(), "workers", l.cfg.workers())
	l.setupOnce()
	l.inherit(l.startPool)
	return nil
}

// startPool begins the first generation of this master.
func (l *loop) startPool(err error) {
	if err != nil {
		l.finishPool(err)
		return
	}
	l.lastGen++
	l.prepare(l.lastGen, func(g *generation, err error) {
		l.pool.preparing = false
		if err != nil {
			l.finishPool(err)
			return
		}
		l.pool.add(g)
		l.pool.goal.Workers, l.pool.goal.Generation = l.cfg.workers(), g.number
		if l.takeover != nil {
			l.boundStart(l.takeover)
		}
		l.watchMemory(g)
		l.reapOrphans()
		l.nextReload()
	})
}

// established: all the first workers are ready.
func (l *loop) established() {
	l.pool.goal.Established = true
	if l.takeover != nil {
		l.trial(l.takeover)
		return
	}
	l.publishPID()
	l.nextReload()
}

// prepare looks a generation up elsewhere. then is not called where the pool has
// ended in the meantime.
func (l *loop) prepare(number int, then func(*generation, error)) {
	cfg, p := l.cfg, l.pool
	l.work(func() func() {
		g, err := l.sys.prepare(number, cfg)
		return func() {
			if l.pool == p {
				l.dirty = true
				then(g, err)
			} else if g != nil {
				g.release()
			}
		}
	})
}

func (p *pool) add(g *generation) {
	g.use()
	p.generations[g.number] = g
}

// drop gives up a generation that no member will be started from any more.
func (p *pool) drop(number int) {
	if g := p.generations[number]; g != nil {
		delete(p.generations, number)
		g.release()
	}
}

// reload is (*Master).Reload.
func (l *loop) reload(result chan error) error {
	p := l.pool
	switch {
	case p == nil:
		return ErrNotRunning
	case p.goal.Stop:
		return ErrStopping
	}
	p.waiting = append(p.waiting, result)
	l.nextReload()
	return nil
}

// nextReload begins the reload that waits, if there is one and its time has come. A
// roll-back makes way for it: the new generation may be the remedy.
func (l *loop) nextReload() {
	p := l.pool
	if len(p.waiting) == 0 || l.upgrading() || p.preparing || p.goal.Next != 0 || !p.goal.Established || p.goal.Stop {
		return
	}
	l.endRoll()
	p.roll = &roll{began: time.Now(), results: p.waiting}
	p.waiting, p.preparing = nil, true
	l.lastGen++
	l.log.Info("rota: reload", "generation", l.lastGen)
	l.systemd.Reloading()
	l.prepare(l.lastGen, func(g *generation, err error) {
		p.preparing = false
		if err != nil {
			p.roll.err = &reload.Error{Generation: l.lastGen, Err: err}
			l.logRoll()
			l.endRoll()
			l.nextReload()
			return
		}
		p.add(g)
		l.watchMemory(g)
		p.policy = g.cfg.policy()
		p.goal.Next = g.number
	})
}

// endRoll answers who waits for the roll.
func (l *loop) endRoll() {
	p := l.pool
	if p.roll == nil {
		return
	}
	for _, result := range p.roll.results {
		result <- p.roll.err
	}
	p.roll = nil
	l.releaseMemorySoon()
}

func (l *loop) logRoll() {
	took := time.Since(l.pool.roll.began).Round(time.Millisecond)
	l.failed = l.pool.roll.err
	if err := l.pool.roll.err; err != nil {
		l.log.Error("rota: reload failed, the old workers serve on", "after", took, "err", err)
		return
	}
	l.log.Info("rota: reload done", "generation", l.pool.goal.Generation, "workers", l.pool.goal.Workers, "took", took)
}

// holdOff is how long a new worker of a roll, or of a new master, takes no connections: the first three
// quarters of its trial. One that dies by then costs nothing. In the last quarter it
// is tried by connections, while its predecessor still serves beside it.
func (l *loop) holdOff(m *member) time.Duration {
	if l.pool == nil || !m.pooled || l.takeover == nil && m.Generation != l.pool.goal.Next {
		return 0
	}
	return max(l.pool.policy.WithDefaults().MinUptime, 0) * 3 / 4
}

// scale makes n workers, also in the places of those that Kill has left empty.
func (l *loop) scale(n int) {
	l.cfg.Workers, l.scaled = n, true
	if l.pool == nil {
		return
	}
	l.pool.goal.Workers, l.dirty = n, true
	for _, m := range l.members {
		m.Retired = false
	}
}

func (l *loop) stopPool() {
	if l.pool == nil || l.pool.goal.Stop {
		return
	}
	l.pool.goal.Stop, l.dirty = true, true
	l.log.Info("rota: stop")
	l.abandonUpgrade(false)
}

// finishPool is the end of Run.
func (l *loop) finishPool(err error) {
	p := l.pool
	l.pool = nil
	if p.err == nil {
		p.err = err
	}
	for number := range p.generations {
		p.drop(number)
	}
	waiting := p.waiting
	if p.roll != nil {
		waiting = append(waiting, p.roll.results...)
	}
	for _, result := range waiting {
		result <- ErrStopping
	}
	if l.living() == 0 {
		l.closeSockets()
	}
	l.reportGivenUp(p.err)
	l.removePIDFile()
	if l.closing {
		p.result <- p.err // the loop may be at its end
		return
	}
	l.afterDelivery(func() { p.result <- p.err })
}

// settle asks the policy until it has nothing more to say, then sets the timer.
func (l *loop) settle() {
	defer l.report()
	l.nextUpgrade()
	forced := l.settleForked()
	for l.pool != nil && !l.pool.preparingFirst() {
		now := time.Now()
		wake := l.judgeReady(now)
		steps, next := l.pool.policy.Next(l.pool.goal, l.poolMembers(), now)
		if len(steps) == 0 {
			l.wakeAt(earlier(forced, earlier(wake, next)))
			return
		}
		for _, s := range steps {
			l.carryOut(s)
		}
	}
	l.wakeAt(forced)
}

// settleForked forces those of Fork's workers that were asked to leave and don't.
// To the policy they are a rota that stops.
func (l *loop) settleForked() (wake time.Time) {
	var leaving []reload.Member
	for _, m := range l.members {
		if !m.pooled && m.alive() && !m.serving() {
			leaving = append(leaving, m.Member)
		}
	}
	if len(leaving) == 0 {
		return wake
	}
	steps, wake := l.cfg.policy().Next(reload.Goal{Stop: true}, leaving, time.Now())
	for _, s := range steps {
		l.carryOut(s)
	}
	if len(steps) > 0 {
		return l.settleForked()
	}
	return wake
}

func (p *pool) preparingFirst() bool { return p.goal.Generation == 0 && !p.goal.Stop }

func (l *loop) wakeAt(t time.Time) {
	if t.IsZero() {
		l.timer.Stop()
		return
	}
	l.timer.Reset(time.Until(t))
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (l *loop) poolMembers() []reload.Member {
	all := make([]reload.Member, 0, len(l.members))
	for _, m := range l.members {
		if m.pooled {
			all = append(all, m.Member)
		}
	}
	return all
}

// judgeReady marks those that have become ready, and says when to look again.
func (l *loop) judgeReady(now time.Time) (wake time.Time) {
	p := l.pool
	for _, m := range l.members {
		switch {
		case !m.pooled:
			continue
		case !m.serving():
			p.readiness.Gone(m.ID, m.Slot)
			continue
		case !m.Ready.IsZero():
			p.readiness.Ready(m.ID, m.Slot)
			continue
		}
		ready, again := m.isReady, time.Time{}
		if !m.gen.cfg.WaitReady {
			ready, again = p.readiness.IsReady(m.ID, m.Slot, p.goal.Established, now)
		}
		wake = earlier(wake, again)
		if ready {
			m.Ready = now
			l.logReady(m)
		}
	}
	return wake
}

func (l *loop) logReady(m *member) {
	addrs := make([]string, 0, len(m.held))
	for _, s := range m.held {
		if s.addr != nil {
			addrs = append(addrs, s.addr.String())
		}
	}
	l.log.Info("rota: worker ready", "worker", m.ID, "pid", m.pid(), "slot", m.Slot,
		"generation", m.Generation, "after", m.Ready.Sub(m.Started).Round(time.Millisecond/10), "on", addrs)
}

// carryOut does what a step of the policy says.
func (l *loop) carryOut(s reload.Step) {
	m := l.members[s.ID]
	switch s.Do {
	case reload.Disconnect:
		l.disconnect(s.ID)
	case reload.Terminate:
		m.Termed = time.Now()
		l.force(m, syscall.SIGTERM)
	case reload.Kill:
		m.Killed = time.Now()
		l.force(m, os.Kill)
	case reload.Forget:
		delete(l.members, s.ID)
	default:
		if l.pool != nil {
			l.carryOutGoal(s, m)
		}
	}
}

// carryOutGoal does what changes the goal, or starts something.
func (l *loop) carryOutGoal(s reload.Step, m *member) {
	p := l.pool
	switch s.Do {
	case reload.Start:
		l.startPooled(s)
	case reload.Establish:
		l.established()
	case reload.Fail:
		l.failStart(m)
	case reload.Complete:
		l.completeRoll()
	case reload.Abort:
		l.abortRoll(m, s.Err)
	case reload.RolledBack:
		p.goal.RollingBack = false
		if p.roll != nil && p.roll.err != nil { // not one that has begun meanwhile
			l.endRoll()
		}
	case reload.Stopped:
		p.goal.Stopped = true
		if l.upgrade == nil { // or upgraded does this
			l.finishPool(nil)
		}
	}
}

func (l *loop) startPooled(s reload.Step) {
	m := l.newMember(s.Slot, l.pool.generations[s.Generation])
	m.pooled, m.Crashes = true, s.Crashes
	l.spawn(m, nil)
}

func (l *loop) force(m *member, sig os.Signal) {
	l.log.Warn("rota: worker does not end", "worker", m.ID, "pid", m.pid(), "signal", sig)
	if err := m.signal(sig); err != nil {
		l.log.Error("rota: worker can't be signalled", "worker", m.ID, "pid", m.pid(), "err", err)
	}
}

// failStart: a worker of the first start has died before it was ready.
func (l *loop) failStart(m *member) {
	l.pool.err = &StartError{Worker: m.ID, PID: m.pid(), Exit: m.exit}
	l.pool.goal.Stop = true
	l.abandonUpgrade(false)
}

func (l *loop) completeRoll() {
	p := l.pool
	p.goal.Generation, p.goal.Next, p.goal.RollingBack = p.goal.Next, 0, false
	for number := range p.generations {
		if number < p.goal.Generation {
			p.drop(number)
		}
	}
	l.logRoll()
	l.sweep()
	l.endRoll()
	l.nextReload()
}

// abortRoll begins the roll-back. It yields to a reload that waits already.
func (l *loop) abortRoll(m *member, why error) {
	p := l.pool
	e := &reload.Error{Worker: m.ID, Slot: m.Slot, Generation: m.Generation, PID: m.pid(), Err: why, Stderr: m.worker.stderr.LastLines()}
	if errors.Is(why, reload.ErrDied) {
		e.Err = &diedError{m.exit}
	}
	p.drop(p.goal.Next)
	p.goal.Next, p.goal.RollingBack = 0, true
	p.roll.err = e
	l.logRoll()
	l.nextReload()
}

// diedError is reload.ErrDied with how.
type diedError struct{ exit Exit }

func (e *diedError) Error() string { return reload.ErrDied.Error() + ": " + e.exit.String() }
func (e *diedError) Unwrap() []error {
	if e.exit.Err != nil {
		return []error{reload.ErrDied, e.exit.Err}
	}
	return []error{reload.ErrDied}
}
