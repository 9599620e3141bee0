package master

import "time"

const (
	// memoryPoll is how often workers' memory is looked at.
	memoryPoll = time.Second
	// memoryRest is how long the successor of a worker that was replaced for its memory
	// is left alone: a limit that is too low costs one start a minute, not all time.
	memoryRest = time.Minute
)

// recycle has a worker replaced when its turn comes.
func (l *loop) recycle(m *member, why string) {
	if m.Recycle {
		return
	}
	m.Recycle, l.dirty = true, true
	l.log.Info("rota: worker is to be replaced", "worker", m.ID, "pid", m.pid(), "why", why)
}

// watchMemory begins to look at the workers' memory, with the first generation that has
// a limit.
func (l *loop) watchMemory(g *generation) {
	if g.cfg.MaxMemory > 0 && !l.pool.weighing {
		l.pool.weighing = true
		l.weighAgain(l.pool)
	}
}

// weighAgain goes on as long as the pool runs.
func (l *loop) weighAgain(p *pool) {
	l.after(memoryPoll, func() {
		if l.pool == p {
			l.lookAtMemory()
			l.weighAgain(p)
		}
	})
}

// lookAtMemory reads what the kernel says, elsewhere.
func (l *loop) lookAtMemory() {
	limited := l.limited(time.Now())
	if len(limited) == 0 {
		return
	}
	l.work(func() func() {
		uses := make([]int64, len(limited))
		for i, m := range limited {
			uses[i] = l.sys.memory(m.pid())
		}
		return func() {
			for i, m := range limited {
				l.weigh(m, uses[i])
			}
		}
	})
}

// limited are the workers that have a limit, and time to come near it.
func (l *loop) limited(now time.Time) (all []*member) {
	for _, m := range l.members {
		resting := now.Before(l.pool.heavy[m.Slot])
		if m.pooled && m.serving() && !m.Ready.IsZero() && !m.Recycle && !resting && m.gen.cfg.MaxMemory > 0 && m.pid() > 0 {
			all = append(all, m)
		}
	}
	return all
}

// weigh has a worker replaced that uses more than it may.
func (l *loop) weigh(m *member, uses int64) {
	if !m.serving() || l.pool == nil || uses <= memoryLimit(m.gen.cfg.MaxMemory, m.ID) {
		return
	}
	l.pool.heavy[m.Slot] = time.Now().Add(memoryRest)
	l.log.Info("rota: worker uses too much memory", "worker", m.ID, "pid", m.pid(), "bytes", uses, "limit", m.gen.cfg.MaxMemory)
	l.recycle(m, "memory")
}

// memoryLimit spreads the limit over its last tenth by the worker's id, so that workers
// that grow alike don't leave together.
func memoryLimit(limit int64, id int) int64 {
	return limit - limit/10*int64(id*7919%100)/100
}
