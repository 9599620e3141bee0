package master

import (
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/wire"
)

// recycle marks a worker to be replaced; the policy decides when.
func (l *loop) recycle(m *member, why string) {
	if m.Recycle {
		return
	}
	m.Recycle = true
	l.log.Info("rota: worker is to be replaced", "worker", m.ID, "pid", m.pid(), "why", why)
}

// watchMemory starts the memory checks, if g is the first generation with a limit.
func (l *loop) watchMemory(g *generation) {
	if g.Config.MaxMemory > 0 && l.pool.memory == nil {
		l.pool.memory = &child.MemoryWatch{
			Work: l.work, After: l.after, Resident: l.sys.residentBytes,
			Limited: l.limited, Exceeded: l.exceedsMemory,
		}
		l.pool.memory.Start()
	}
}

// limited returns the workers that have a limit, and have had the time to come near it.
func (l *loop) limited() (all []child.Memory) {
	for _, m := range l.members {
		if m.pooled && m.serving() && !m.Ready.IsZero() && !m.Recycle && m.gen.Config.MaxMemory > 0 {
			all = append(all, child.Memory{ID: m.ID, Slot: m.Slot, PID: m.pid(), Limit: m.gen.Config.MaxMemory})
		}
	}
	return all
}

// exceedsMemory recycles a worker that uses more bytes than its limit.
func (l *loop) exceedsMemory(c child.Memory, used int64) {
	if m := l.members[c.ID]; m != nil && m.serving() {
		l.log.Info("rota: worker uses too much memory", "worker", m.ID, "pid", m.pid(), "bytes", used, "limit", c.Limit)
		l.recycle(m, "memory")
	}
}

// startHealthChecks starts the checks of a worker that has said that it answers them.
func (l *loop) startHealthChecks(m *member) {
	if m.health != nil {
		return
	}
	m.health = &child.Health{
		Interval: child.HealthInterval(m.gen.Config.HealthInterval), After: l.after,
		Serves: func() bool { return m.serving() && !m.Recycle },
		Send:   func(n uint32, within time.Duration) { m.process.Send(wire.Check, n, wire.CheckBody{Within: within}) },
		Failed: func(err error, times int) { l.unhealthy(m, err, times) },
	}
	m.health.Start()
}

// healthChecked handles the answer to a check.
func (l *loop) healthChecked(m *member, call uint32, body *wire.CheckedBody) {
	if call == child.SignOfLife {
		m.Asked = time.Time{}
		return
	}
	m.health.Answered(call, body.Error)
}

// askOnTrial asks a new worker for a sign of life in the last quarter of its trial: a process
// that has been stopped is ready, and would accept nothing.
func (l *loop) askOnTrial(m *member) {
	trial := l.holdOff(m)
	if trial == 0 || m.hello == nil || !m.hello.Pings {
		return
	}
	l.after(trial, func() {
		m.Asked = time.Now()
		m.process.Send(wire.Check, child.SignOfLife, wire.CheckBody{})
	})
}

// unhealthy recycles a worker after Config.HealthFailures failed checks in a row.
func (l *loop) unhealthy(m *member, err error, times int) {
	l.log.Warn("rota: worker is not well", "worker", m.ID, "pid", m.pid(), "times", times, "err", err)
	if times >= child.HealthFailures(m.gen.Config.HealthFailures) {
		l.recycle(m, "health")
	}
}

// reapOrphans starts reaping orphans, as long as the pool runs, if this process is PID 1.
func (l *loop) reapOrphans() {
	if l.sys.pid() != 1 {
		return
	}
	l.pool.orphans = &child.Orphans{
		Work: l.work, After: l.after, Reap: l.sys.reap,
		Workers: func() map[int]bool {
			pids := map[int]bool{}
			for _, m := range l.members {
				pids[m.pid()] = true
			}
			return pids
		},
		Reaped: func(pids []int) { l.log.Debug("rota: orphans reaped", "pids", pids) },
	}
	l.pool.orphans.Start()
}
