package master

import "time"

const (
	// memoryPoll is how often workers' memory is checked.
	memoryPoll = time.Second
	// memoryCooldown is how long a slot's memory is not checked after its worker was
	// replaced for it: a limit that is too low then costs one start a minute per slot.
	memoryCooldown = time.Minute
)

// recycle marks a worker to be replaced; the policy decides when.
func (l *loop) recycle(m *member, why string) {
	if m.Recycle {
		return
	}
	m.Recycle, l.dirty = true, true
	l.log.Info("rota: worker is to be replaced", "worker", m.ID, "pid", m.pid(), "why", why)
}

// watchMemory starts the memory checks, if g is the first generation with a limit.
func (l *loop) watchMemory(g *generation) {
	if g.cfg.MaxMemory > 0 && !l.pool.memoryWatched {
		l.pool.memoryWatched = true
		l.scheduleMemoryCheck(l.pool)
	}
}

// scheduleMemoryCheck checks memory every memoryPoll as long as the pool runs.
func (l *loop) scheduleMemoryCheck(p *pool) {
	l.after(memoryPoll, func() {
		if l.pool == p {
			l.readMemory()
			l.scheduleMemoryCheck(p)
		}
	})
}

// readMemory reads on another goroutine what the workers use, then checks it.
func (l *loop) readMemory() {
	limited := l.limited(time.Now())
	if len(limited) == 0 {
		return
	}
	l.work(func() func() {
		used := make([]int64, len(limited))
		for i, m := range limited {
			used[i] = l.sys.residentBytes(m.pid())
		}
		return func() {
			for i, m := range limited {
				l.checkMemory(m, used[i])
			}
		}
	})
}

// limited returns the workers whose memory has to be checked now.
func (l *loop) limited(now time.Time) (all []*member) {
	for _, m := range l.members {
		coolingDown := now.Before(l.pool.memoryCooldown[m.Slot])
		if m.pooled && m.serving() && !m.Ready.IsZero() && !m.Recycle && !coolingDown && m.gen.cfg.MaxMemory > 0 && m.pid() > 0 {
			all = append(all, m)
		}
	}
	return all
}

// checkMemory recycles a worker that uses more bytes than its limit.
func (l *loop) checkMemory(m *member, used int64) {
	if !m.serving() || l.pool == nil || used <= memoryLimit(m.gen.cfg.MaxMemory, m.ID) {
		return
	}
	l.pool.memoryCooldown[m.Slot] = time.Now().Add(memoryCooldown)
	l.log.Info("rota: worker uses too much memory", "worker", m.ID, "pid", m.pid(), "bytes", used, "limit", m.gen.cfg.MaxMemory)
	l.recycle(m, "memory")
}

// memoryLimit returns the limit of a worker in bytes. It is up to a tenth below the
// configured limit, by the worker's id, so that workers that grow alike are not replaced
// at the same time.
func memoryLimit(limit int64, id int) int64 {
	return limit - limit/10*int64(id*7919%100)/100
}
