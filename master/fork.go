package master

// fork is (*Master).Fork. It starts one worker outside the pool, and sends it to started
// when its process runs or could not be started.
func (l *loop) fork(env map[string]string, started chan<- *Worker) error {
	if l.closing {
		return ErrClosed
	}
	l.setupOnce()
	cfg, number := l.cfg, l.lastGen
	l.work(func() func() {
		g, err := l.sys.prepare(number, cfg)
		return func() { l.forkFrom(g, err, env, func(w *Worker) { started <- w }) }
	})
	return nil
}

// forkFrom starts a worker of g. If g could not be prepared, or the master is closing,
// the worker is one that could not be started: its only event after Fork is Exit.
func (l *loop) forkFrom(g *generation, err error, env map[string]string, answer func(*Worker)) {
	if g == nil {
		g = &generation{number: l.lastGen, cfg: l.cfg}
	}
	slot := l.freeSlot()
	if err == nil && l.closing {
		err = ErrClosed
	}
	m := l.newMember(slot, g)
	m.onStart = answer
	if err != nil {
		l.spawned(m, nil, err)
		return
	}
	l.spawn(m, env)
}

// freeSlot returns the lowest slot that no living worker has and that the pool doesn't
// need.
func (l *loop) freeSlot() int {
	taken := map[int]bool{}
	for _, m := range l.members {
		taken[m.Slot] = taken[m.Slot] || m.alive()
	}
	slot := 0
	if l.pool != nil {
		slot = l.pool.goal.Workers
	}
	for taken[slot] {
		slot++
	}
	return slot
}
