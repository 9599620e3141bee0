package master

import (
	"math"
	"os"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/internal/readiness"
	"github.com/rota-go/rota/reload"
)

// pool is what Run adds: a goal, and the steps of the policy towards it.
type pool struct {
	policy reload.Policy
	goal   reload.Goal  // what loop.state decides of it is filled in by State.Goal
	result chan<- error // Run's
	err    error        // what Run will return

	generations child.Generations[Config]
	before      *generation // which the one that serves has replaced; nil: none
	readiness   readiness.Record
	held        bool   // a reload waits for draining workers
	endDelay    func() // stops the timer of Config.StopDelay; nil: it does not run

	rollout *rollout        // under way, or rolling back
	waiting mailbox.Answers // results of reloads that wait
	trial   *reload.Trial   // of them; nil: as configured
}

// runPool is Run. A successor first waits for its predecessor's snapshot.
func (l *loop) runPool(result chan<- error) error {
	if err := refusals[l.begin(reload.ChangeStart)]; err != nil {
		return err
	}
	l.pool = &pool{policy: l.cfg.policy(), result: result, generations: child.Generations[Config]{}}
	l.log.Info("rota: master", "pid", os.Getpid(), "workers", l.cfg.workers())
	l.setupOnce()
	l.follow()
	return nil
}

// startPool prepares the first generation of this master.
func (l *loop) startPool(err error) {
	if err != nil {
		l.failPool(err, reload.EventPrepareFailed)
		return
	}
	l.lastGen++
	l.startFrom(l.lastGen, nil)
}

// startFrom is startPool with the number of the generation and, unless it is nil, its executable.
func (l *loop) startFrom(number int, executable *os.File) {
	p := l.pool
	l.prepare(number, executable, func(g *generation, err error) {
		if l.pool != p {
			g.Release()
			return
		}
		if err != nil {
			l.failPool(err, reload.EventPrepareFailed)
			return
		}
		l.pool.generations.Add(g)
		l.pool.goal.Workers, l.pool.goal.Generation = l.cfg.workers(), g.Number
		l.sockets.Resize(l.cfg.workers())
		l.on(reload.EventPrepared)
		l.boundTakeover()
		l.care.WatchMemory(g.Config.MaxMemory)
		l.care.ReapOrphans(l.sys.pid(), l.pids)
	})
}

// failPool records why Run fails, and reports the event of it.
func (l *loop) failPool(err error, e reload.Event) {
	if l.pool.err == nil {
		l.pool.err = err
	}
	l.on(e)
}

// established: all workers of the first generation are ready.
func (l *loop) established() {
	l.on(reload.EventEstablished)
	if l.takeover != nil {
		l.takeover.Established(l.pool.policy.WithDefaults().MinUptime, reload.AnswerWait)
		return
	}
	l.pidFile.Write(l.cfg.PIDFile) // from now on the outside world sends signals here
}

// failStart: a worker of the first generation has died before it was ready, or several have
// died soon after.
func (l *loop) failStart(m *member) {
	e := &StartError{Worker: m.ID, PID: m.pid(), Exit: m.exit}
	if l.isEstablished() {
		e.Crashes = m.Crashes + 1
	}
	l.failPool(e, reload.EventStartFailed)
	l.abandonUpgrade(false)
}

// prepare prepares a generation on another goroutine. It owns the executable.
func (l *loop) prepare(number int, executable *os.File, then func(*generation, error)) {
	cfg := l.cfg
	cfg.Logger = l.log
	l.work(func() func() {
		g, err := l.sys.prepare(number, cfg, executable)
		return func() { then(g, err) }
	})
}

// scale is Scale. It also fills the slots that Worker.Kill has left empty.
func (l *loop) scale(n int) {
	l.cfg.Workers, l.scaled = n, true
	if l.pool == nil {
		return
	}
	l.sockets.Resize(n)
	l.pool.goal.Workers = n
	for _, m := range l.members.All() {
		m.Retired = false
		l.changed(m)
	}
}

// finishPool makes Run return. err counts if nothing has failed before.
func (l *loop) finishPool(err error) {
	p := l.pool
	l.pool = nil
	l.care.Stop()
	l.balancer.Stop()
	if p.err == nil {
		p.err = err
	}
	p.before.Release()
	p.generations.DropBelow(math.MaxInt)
	l.forsake()
	p.waiting.Send(ErrStopping)
	if p.rollout != nil {
		p.rollout.results.Send(ErrStopping)
	}
	if !l.any((*member).alive) {
		l.sockets.CloseAll()
	}
	l.abandonUpgrade(false) // one that was asked for before the first generation was prepared
	l.reportGivenUp(p.err)
	l.pidFile.Remove()
	l.control.Close()
	if l.state.Closing() {
		p.result <- p.err // the loop may return before functions of Events do
		return
	}
	l.m.events.Then(l.work, func() { l.files.Await(time.Second, func() { p.result <- p.err }) })
}
