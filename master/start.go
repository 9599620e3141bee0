package master

import (
	"os"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/userfunc"
	"github.com/rota-go/rota/reload"
)

// generation is what the workers of one reload have in common.
type generation = child.Generation[Config]

// prepareGeneration prepares what the workers of a generation are started from. It reads
// files and calls Config.Env, so the loop must not call it itself.
func prepareGeneration(number int, cfg Config, executable *os.File) (*generation, error) {
	spec := cfg.spec(number == 1)
	spec.Executable = executable
	return child.Prepare(number, cfg, spec)
}

// spec returns what package process needs to know of c, for the first generation or another.
func (c Config) spec(first bool) process.Spec {
	s := process.Spec{
		Exec: c.Exec, Args: c.Args, Dir: c.Dir, User: c.User, NoNewPrivs: c.NoNewPrivs,
		ExtraFiles: c.ExtraFiles, Stdin: c.Stdin, Silent: c.Silent, Running: first,
		Share: process.Share{Workers: c.workers(), Processors: process.Processors(), MaxMemory: c.MaxMemory},
	}
	if c.Env != nil {
		s.Env = userfunc.Wrap("Config.Env", c.logger(), c.Env)
	}
	return s
}

// fork is (*Master).Fork. It starts one worker outside the pool, and calls started when its
// process runs or could not be started.
func (l *loop) fork(env map[string]string, started func(*Worker)) error {
	if l.state.Closing() {
		return ErrClosed
	}
	l.setupOnce()
	l.prepare(l.lastGen, nil, func(g *generation, err error) { l.forkFrom(g, err, env, started) })
	return nil
}

// forkFrom starts a worker of g. If g could not be prepared, or the master is closing,
// the worker is one that could not be started: its only event after Fork is Exit.
func (l *loop) forkFrom(g *generation, err error, env map[string]string, answer func(*Worker)) {
	if g == nil {
		g = &generation{Number: l.lastGen, Config: l.cfg}
	}
	if err == nil && l.state.Closing() {
		err = ErrClosed
	}
	first := 0 // the pool needs those below
	if l.pool != nil {
		first = l.pool.goal.Workers
	}
	m := l.newMember(l.moves.FreeSlot(first), g)
	m.onStart = answer
	if err != nil {
		l.spawned(m, nil, err)
		return
	}
	l.spawn(m, env)
}

// newMember makes a member that has no process yet.
func (l *loop) newMember(slot int, g *generation) *member {
	l.lastID++
	w := newWorker(l.m, l.lastID, slot, g)
	m := &member{
		Member: reload.Member{ID: w.id, Slot: slot, Generation: g.Number, Started: time.Now(), WaitReady: g.Config.WaitReady},
		worker: w, gen: g, onStart: func(*Worker) {},
		reader: &delivery.Reader[Events]{Queue: l.m.events, Source: w.source},
	}
	m.care = child.Patient{
		Member: &m.Member, Changed: func() { l.changed(m) }, Moves: m.moves, Process: func() *child.Process { return m.process },
		Memory: g.Config.MaxMemory, Interval: g.Config.HealthInterval, Failures: g.Config.HealthFailures,
	}
	g.Use()
	l.members.Add(w.id, m)
	l.moves.Add(&m.care)
	return m
}

// spawn starts a member's process on another goroutine.
func (l *loop) spawn(m *member, env map[string]string) {
	id := link.Identity{ID: m.ID, Slot: m.Slot, Generation: m.Generation}
	l.work(func() func() {
		p, err := l.sys.spawn(m.gen.Image, id, env)
		return func() { l.spawned(m, p, err) }
	})
}

// spawned takes up the process of a member, or err if it could not be started.
func (l *loop) spawned(m *member, p *child.Process, err error) {
	if err != nil {
		l.m.events.EmitOnce(m.worker.source, func(e *Events) { call(e.Fork, m.worker) })
		m.exit = Exit{Err: err}
		l.gone(m)
		m.onStart(m.worker)
		return
	}
	m.process, m.linkOpen, m.running = p, true, true
	m.worker.output.Attach(p)
	l.lines.Started(&m.Member, m.pid())
	m.publish()
	l.m.events.EmitOnce(m.worker.source, func(e *Events) { call(e.Fork, m.worker) })
	l.work(func() func() { x := m.worker.output.Wait(p); return func() { l.exited(m, x) } })
	l.work(func() func() { err := l.read(m); return func() { l.unlinked(m, err) } })
	m.onStart(m.worker)
	l.catchUp(m)
}

// catchUp carries out what was decided while the process was being started.
func (l *loop) catchUp(m *member) {
	if !m.Draining.IsZero() {
		l.bound(m, max(time.Until(m.Due), 0))
	}
	if !m.Killed.IsZero() {
		m.signals = append(m.signals, os.Kill)
	}
	for _, sig := range m.signals {
		_ = m.signal(sig) // fails if it has just died
	}
}
