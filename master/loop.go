package master

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/sdnotify"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// exitLinger is how long the link of a worker whose process has ended may stay
// open: some child of it may have the descriptor.
const exitLinger = time.Second

// hangUpFlush bounds how long a worker that is refused may take to read why.
const hangUpFlush = time.Second

// loop owns all state of a master. Its methods run on its goroutine and never
// block: what takes time runs elsewhere and posts its result.
type loop struct {
	m      *Master
	sys    sys
	log    *slog.Logger
	cfg    Config // for future forks
	ctx    context.Context
	cancel context.CancelFunc

	members map[int]*member
	lastID  int
	sockets sockets
	pool    *pool
	lastGen int // the number of the latest generation

	upgrade  *upgrade  // asked for, or under way
	takeover *takeover // this master is to follow another, and doesn't yet
	scaled   bool      // cfg.Workers was changed by Scale
	failed   error     // the last reload or upgrade
	systemd  *sdnotify.Notifier
	pidFile  string // written

	leaving    []*leaving
	timer      *time.Timer
	closing    bool // Close was called
	working    int  // goroutines that will post a result
	releaseDue bool // releaseMemorySoon has set its timer
	dirty      bool // something has changed that the policy should see
	isSetUp    bool // the Setup event was sent
}

func newLoop(m *Master, cfg Config, s sys) *loop {
	l := &loop{m: m, sys: s, log: cfg.logger(), cfg: cfg.clone(), members: map[int]*member{}, sockets: newSockets()}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.timer = time.NewTimer(time.Hour)
	l.systemd = sdnotify.New(l.log)
	return l
}

func (l *loop) run() {
	quit := l.m.quit
	for !l.closing || l.working > 0 {
		select {
		case f := <-l.m.calls:
			f(l)
		case <-l.timer.C:
			l.dirty = true
		case <-quit:
			quit = nil
			l.closing = true
			l.killAll()
			l.abandonUpgrade(true)
		}
		if l.dirty {
			l.dirty = false
			l.settle()
		}
	}
	l.end()
}

// end gives everything back. Nothing runs any more that could post.
func (l *loop) end() {
	l.timer.Stop()
	l.cancel()
	if l.pool != nil {
		l.finishPool(ErrClosed)
	}
	l.closeSockets()
	l.systemd.Close()
	l.m.events.Close()
	close(l.m.done)
}

// work runs f elsewhere; what f returns is called by the loop.
func (l *loop) work(f func() func()) {
	l.working++
	go func() {
		then := f()
		l.m.calls <- func(l *loop) { l.working--; then() }
	}()
}

// after has f called by the loop in d.
func (l *loop) after(d time.Duration, f func()) (stop func()) {
	t := time.AfterFunc(d, func() { l.m.post(func(*loop) { f() }) })
	return func() { t.Stop() }
}

func (l *loop) living() (n int) {
	for _, m := range l.members {
		if m.alive() {
			n++
		}
	}
	return n
}

func (l *loop) workers() []*Worker {
	var all []*Worker
	for _, m := range l.members {
		if m.alive() {
			all = append(all, m.worker)
		}
	}
	slices.SortFunc(all, func(a, b *Worker) int { return a.id - b.id })
	return all
}

// newMember makes a member that has no process yet.
func (l *loop) newMember(slot int, g *generation) *member {
	l.lastID++
	w := newWorker(l.m, l.lastID, slot, g)
	m := &member{
		Member: reload.Member{ID: w.id, Slot: slot, Generation: g.number, Started: time.Now()},
		worker: w, gen: g,
		held: map[int]*socket{}, keys: map[socketKey]bool{}, asked: map[int]*socket{},
	}
	g.use()
	l.members[w.id] = m
	l.dirty = true
	return m
}

// spawn starts a member's process elsewhere.
func (l *loop) spawn(m *member, env map[string]string) {
	id := link.Identity{ID: m.ID, Slot: m.Slot, Generation: m.Generation}
	l.work(func() func() {
		p, err := l.sys.spawn(m.gen, id, env)
		return func() { l.spawned(m, p, err) }
	})
}

// spawned takes over a started process, or says that there is none.
func (l *loop) spawned(m *member, p *workerProcess, err error) {
	if err != nil {
		l.m.events.EmitOnce(m.worker.source, func(e *Events) { call(e.Fork, m.worker) })
		m.exit = Exit{Err: err}
		l.gone(m)
		m.started()
		return
	}
	m.process, m.linkOpen, m.running = p, true, true
	m.worker.readOutput(p)
	m.publish()
	l.m.events.EmitOnce(m.worker.source, func(e *Events) { call(e.Fork, m.worker) })
	l.work(func() func() { x := m.worker.wait(p); return func() { l.exited(m, x) } })
	l.work(func() func() { err := l.read(m, p.link); return func() { l.unlinked(m, err) } })
	m.started()
	l.catchUp(m)
}

// catchUp does what was decided while the process was being started.
func (l *loop) catchUp(m *member) {
	if !m.Draining.IsZero() {
		m.send(wire.Disconnect, nil)
	}
	if !m.Killed.IsZero() {
		m.signals = append(m.signals, os.Kill)
	}
	for _, sig := range m.signals {
		_ = m.signal(sig) // one that has just died needs no signal
	}
}

// started answers Fork.
func (m *member) started() {
	if m.onStart != nil {
		m.onStart(m.worker)
	}
}

// received does what a worker says. A worker that says nonsense loses its link;
// nobody else notices.
func (l *loop) received(m *member, packets []link.Packet) {
	for len(packets) > 0 {
		if n, size := messages(packets); n > 0 && m.hello != nil {
			l.m.events.EmitMessages(m.worker.source, packets[:n:n], size)
			l.m.events.Start()
			packets = packets[n:]
			continue
		}
		if err := l.handle(m, packets[0]); err != nil {
			l.hangUp(m, packets, err)
			return
		}
		packets = packets[1:]
	}
}

// hangUp ends the link of a worker that talks nonsense. What it was told, a refusal
// maybe, reaches it first. It takes the packets that came with the nonsense.
func (l *loop) hangUp(m *member, packets []link.Packet, why error) {
	for _, p := range packets {
		p.Close()
	}
	m.direct.Store(false)
	l.log.Error("rota: worker doesn't speak the protocol", "worker", m.ID, "pid", m.pid(), "err", why)
	link := m.process.link
	l.work(func() func() {
		ctx, cancel := context.WithTimeout(context.Background(), hangUpFlush)
		defer cancel()
		_ = link.CloseWrite(ctx) // fails where the link has ended already
		_ = link.Close()
		return func() {}
	})
}

// handle takes p's descriptors unless it fails.
func (l *loop) handle(m *member, p link.Packet) error {
	if m.hello == nil && p.Type != wire.Hello {
		return fmt.Errorf("%w: %v before hello", wire.ErrType, p.Type)
	}
	if len(p.Files) > 0 {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	switch p.Type {
	case wire.Hello:
		return l.hello(m, p)
	case wire.Listen:
		return l.listen(m, p)
	case wire.Accepting:
		return l.accepting(m, p)
	case wire.Closed:
		return l.closed(m, p)
	case wire.Draining:
		l.draining(m)
	case wire.Ready:
		m.isReady, l.dirty = true, true
	case wire.Watch:
		l.startHealthChecks(m)
	case wire.Checked:
		return l.healthChecked(m, p)
	case wire.Retire:
		m.Retired, l.dirty = true, true
	default:
		return fmt.Errorf("%w: %v from a worker", wire.ErrType, p.Type)
	}
	return nil
}

func (l *loop) hello(m *member, p link.Packet) error {
	var body wire.HelloBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	if body.Max < wire.MinVersion || body.Min > wire.Version {
		reason := fmt.Sprintf("it speaks versions %d to %d of the protocol, this master %d to %d",
			body.Min, body.Max, wire.MinVersion, wire.Version)
		m.send(wire.Refuse, wire.RefuseBody{Reason: reason})
		return fmt.Errorf("%w: %s", wire.ErrVersion, reason)
	}
	m.hello = &body
	m.direct.Store(true)
	m.send(wire.Welcome, wire.WelcomeBody{
		Version: min(body.Max, wire.Version),
		Grace:   m.gen.cfg.grace(), IdleGrace: m.gen.cfg.idleGrace(), HoldOff: l.holdOff(m),
	})
	m.publish()
	l.m.events.Emit(m.worker.source, func(e *Events) { call(e.Online, m.worker) })
	return nil
}

func (l *loop) accepting(m *member, p link.Packet) error {
	var body wire.AcceptingBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	name := body.Own
	if s := l.sockets.byID[body.ID]; s != nil {
		name = s.key.String()
	}
	if m.pooled && l.pool != nil && l.pool.readiness.Accept(m.ID, name, time.Now()) {
		l.dirty = true
	}
	return nil
}

// draining is said by a worker that leaves: by itself, or because it was asked.
func (l *loop) draining(m *member) {
	m.worker.decideVoluntary(voluntary)
	m.Voluntary = true
	l.drains(m)
}

// drains marks the begin of a member's end.
func (l *loop) drains(m *member) {
	if m.Draining.IsZero() {
		m.Draining = time.Now()
		m.worker.source.Window.Widen(maxDraining)
		m.publish()
		l.dirty = true
		l.closeAtStop()
	}
}

// disconnect asks a worker to leave.
func (l *loop) disconnect(id int) {
	m := l.members[id]
	if m == nil || !m.serving() {
		return
	}
	m.worker.decideVoluntary(voluntary)
	m.Voluntary = true
	l.drains(m)
	m.send(wire.Disconnect, nil)
}

// kill is (*Worker).Kill.
func (l *loop) kill(id int, sig os.Signal) error {
	m := l.members[id]
	if m == nil || !m.alive() {
		return nil
	}
	if sig == nil {
		sig = syscall.SIGTERM
	}
	m.Retired, m.Voluntary, l.dirty = true, true, true
	if m.process == nil {
		m.signals = append(m.signals, sig)
		return nil
	}
	if err := m.signal(sig); err != nil {
		return fmt.Errorf("kill worker %d: %w", id, err)
	}
	return nil
}

// unlinked: the worker's link has ended, for the reason err.
func (l *loop) unlinked(m *member, err error) {
	m.linkOpen = false
	m.Unlinked = time.Now()
	if !errors.Is(err, io.EOF) {
		_ = m.process.link.Close() // it is told by EOF, and leaves
		l.log.Warn("rota: link to worker lost", "worker", m.ID, "pid", m.pid(), "err", err)
	}
	m.publish()
	l.dirty = true
	l.m.events.Emit(m.worker.source, func(e *Events) { call(e.Disconnect, m.worker) })
	l.gone(m)
}

// exited: the worker's process has ended.
func (l *loop) exited(m *member, x Exit) {
	m.running, m.exit = false, x
	m.worker.source.Window.Widen(-1) // the rest of its link fits into the kernel's buffer
	if m.linkOpen {
		link := m.process.link
		l.after(exitLinger, func() { _ = link.Close() })
	}
	l.gone(m)
}

// gone is the last of a worker: its process has ended and its link is read to
// the end.
func (l *loop) gone(m *member) {
	if m.running || m.linkOpen {
		return
	}
	m.Exited = time.Now()
	l.dirty = true
	l.diedOnTrial(m)
	l.release(m)
	m.health.stopChecks()
	if m.process != nil {
		_ = m.process.link.Close()
	}
	m.worker.decideVoluntary(involuntary)
	m.publish()
	m.worker.closeOutput()
	l.logExit(m)
	l.m.events.Emit(m.worker.source, func(e *Events) {
		if e.Exit != nil {
			e.Exit(m.worker, m.exit)
		}
	})
	l.m.events.Gone(m.worker.source)
	l.afterDelivery(func() { close(m.worker.exited) })
	m.gen.release()
	if !m.pooled {
		delete(l.members, m.ID)
	}
	l.answerLeaving(m.ID)
}

func (l *loop) logExit(m *member) {
	args := []any{"worker", m.ID, "pid", m.pid(), "slot", m.Slot, "generation", m.Generation,
		"after", time.Since(m.Started).Round(time.Millisecond), "exit", m.exit.String()}
	if m.Voluntary {
		l.log.Info("rota: worker left", args...)
		return
	}
	l.log.Error("rota: worker died", args...)
}

// killAll is the end at once.
func (l *loop) killAll() {
	if l.pool != nil {
		l.pool.goal.Stop, l.pool.goal.Kill = true, true
	}
	for _, m := range l.members {
		m.worker.decideVoluntary(voluntary)
		m.Voluntary = true
		if m.Killed.IsZero() {
			m.Killed = time.Now()
			_ = m.signal(os.Kill)
		}
	}
	l.dirty = true
}

// leaving is a Disconnect that waits for the workers that there were when it was
// called. Those that are forked since, by a function of Exit that replaces whoever has
// gone, would keep it from its end for ever.
type leaving struct {
	result chan<- error
	ids    map[int]bool
}

func (l *loop) disconnectAll(result chan<- error) {
	w := &leaving{result: result, ids: map[int]bool{}}
	l.leaving = append(l.leaving, w)
	l.stopPool()
	for id, m := range l.members {
		if m.alive() {
			w.ids[id] = true
			l.disconnect(id)
		}
	}
	l.answerLeaving(0)
}

// answerLeaving answers every Disconnect for which the worker that has gone was the last.
func (l *loop) answerLeaving(gone int) {
	if l.living() == 0 && len(l.leaving) > 0 {
		l.closeSockets()
	}
	l.leaving = slices.DeleteFunc(l.leaving, func(w *leaving) bool {
		delete(w.ids, gone)
		if len(w.ids) == 0 {
			l.afterDelivery(func() { w.result <- nil })
		}
		return len(w.ids) == 0
	})
}

func (l *loop) setup(cfg Config) {
	if cfg.Workers == 0 || l.pool != nil {
		cfg.Workers = l.cfg.Workers
	}
	l.cfg = cfg.clone()
	l.emitSetup()
}

// setupOnce sends the Setup event before the first fork of a program that has not
// called Setup, as Node does.
func (l *loop) setupOnce() {
	if !l.isSetUp {
		l.emitSetup()
	}
}

func (l *loop) emitSetup() {
	l.isSetUp = true
	cfg := l.cfg
	l.m.events.EmitOnce(nil, func(e *Events) { call(e.Setup, cfg.clone()) })
}
