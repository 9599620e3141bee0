package master

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sharedfile"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// disconnect tells a worker to drain and leave within a time.
func (l *loop) disconnect(id int, within time.Duration) {
	if m := l.members.Get(id); m != nil && m.serving() {
		l.lines.Leaves(&m.Member, m.pid(), within)
		l.draining(m)
		l.bound(m, within)
	}
}

// bound tells a worker that drains that it has this long from now on.
func (l *loop) bound(m *member, within time.Duration) {
	m.Due = time.Now().Add(within)
	l.changed(m)
	m.send(wire.Disconnect, wire.DisconnectBody{Grace: within})
}

// draining marks a worker that drains, because it was told to or by itself.
func (l *loop) draining(m *member) {
	m.worker.published.Decide(child.Voluntary)
	m.Voluntary = true
	if !m.Draining.IsZero() {
		return
	}
	m.Draining = time.Now()
	l.changed(m)
	l.refuseAtStop()
	l.leases.Leaves(m.ID)
	m.worker.source.Window.Widen(delivery.MaxDraining)
	m.publish()
	if !l.stops() { // nobody stays
		l.moves.HandOver(&m.care)
	}
	l.closeAtStop()
}

// giveState has the worker that m succeeds write what it leaves to a pipe, which it owns.
func (l *loop) giveState(m reload.Member, pipe *descriptor.FD) {
	if from := l.moves.Predecessor(m); from != nil {
		from.Process().GiveState(pipe)
	} else if l.takeover != nil {
		l.takeover.AskState(m.Slot, pipe)
	} else {
		_ = pipe.Close() // there is nothing
	}
}

// kill is Worker.Kill.
func (l *loop) kill(id int, sig os.Signal) error {
	m := l.members.Get(id)
	if m == nil || !m.alive() {
		return nil
	}
	if sig == nil {
		sig = syscall.SIGTERM
	}
	m.Retired, m.Voluntary = true, true
	l.changed(m)
	if m.process == nil {
		m.signals = append(m.signals, sig)
		return nil
	}
	err := m.signal(sig)
	if err != nil {
		err = fmt.Errorf("kill worker %d: %w", id, err)
	}
	return err
}

// signal is Signal.
func (l *loop) signal(s os.Signal) {
	for _, m := range l.members.All() {
		m.held.Send(s, m.signal)
	}
	if l.upgrade != nil {
		l.upgrade.Signal(s)
	}
}

// unlinked: the worker's link is closed, because of err.
func (l *loop) unlinked(m *member, err error) {
	m.linkOpen = false
	m.Unlinked = time.Now()
	l.changed(m)
	l.lines.Drained(&m.Member, m.pid())
	l.leases.Leaves(m.ID)
	if !errors.Is(err, io.EOF) {
		m.process.CloseLink() // the worker sees EOF, and drains
		l.log.Warn("rota: link to worker lost", "worker", m.ID, "pid", m.pid(), "err", err)
	}
	m.publish()
	l.m.events.Emit(m.worker.source, func(e *Events) { call(e.Disconnect, m.worker) })
	l.gone(m)
}

// exited: the worker's process has ended.
func (l *loop) exited(m *member, x process.Exit) {
	m.running, m.exit = false, Exit{Code: x.Code, Signal: x.Signal, Err: x.Err}
	l.lines.Exited(&m.Member, m.pid(), m.exit.String())
	m.worker.source.Window.Widen(-1) // the rest is at most a kernel buffer
	if m.linkOpen {
		m.process.EndLink()
	}
	l.gone(m)
}

// gone: the worker's process has ended, and its link has been read to the end.
func (l *loop) gone(m *member) {
	if m.running || m.linkOpen {
		return
	}
	m.Exited = time.Now()
	l.changed(m)
	l.failOnDeath(m)
	l.leases.Gone(m.ID)
	l.sockets.Released(m.ID, l.isSteady())
	if l.shared.Gone(m.ID) {
		l.after(sharedfile.SpareFor, l.shared.CloseSpare)
	}
	l.garbage.ReleaseSoon()
	m.care.Gone()
	m.process.CloseLink()
	m.worker.published.Decide(child.Involuntary)
	m.publish()
	m.worker.output.Close()
	l.counts.Gone(m.ID)
	l.book.Ended(&m.Member, m.Exited, m.pid(), m.exit.String(), m.worker.output.LastLines())
	m.exit.Undelivered = m.worker.mail.Undelivered()
	l.lines.Ended(&m.Member, m.pid(), m.exit.Code, m.exit.String())
	l.lines.Undelivered(&m.Member, m.pid(), m.exit.Undelivered)
	l.m.events.Emit(m.worker.source, func(e *Events) {
		if e.Exit != nil {
			e.Exit(m.worker, m.exit)
		}
	})
	l.m.events.Gone(m.worker.source)
	l.m.events.Then(l.work, func() { close(m.worker.exited) })
	m.gen.Release()
	if !m.pooled {
		l.forget(m)
	}
	l.disconnects.Gone(m.ID)
}

// isSteady returns a function that reports whether no change is under way, and every slot
// is served; nil without a pool.
func (l *loop) isSteady() func() bool {
	if l.pool == nil {
		return nil
	}
	return func() bool { return l.isServing() && l.rota.IsSteady(l.pool.goal.Workers) }
}

// isServing reports whether no change is under way.
func (l *loop) isServing() bool { return l.state.Phase() == reload.PhaseServing && l.takeover == nil }

// killAll kills all workers at once.
func (l *loop) killAll() {
	if l.pool != nil {
		l.pool.goal.Kill = true
	}
	for _, m := range l.members.All() {
		m.worker.published.Decide(child.Voluntary)
		m.Voluntary = true
		if m.Killed.IsZero() {
			m.Killed = time.Now()
			_ = m.signal(os.Kill)
		}
		l.changed(m)
	}
}

// disconnectAll is Disconnect. It waits for the workers that are alive now.
func (l *loop) disconnectAll(result chan<- error) {
	l.stopPool()
	ids := map[int]bool{}
	for _, w := range l.workers() {
		ids[w.id] = true
	}
	l.disconnects.Add(ids, func() { l.disconnected(result) })
	for id := range ids {
		l.disconnect(id, l.cfg.stopGrace())
	}
}

// disconnected answers a Disconnect.
func (l *loop) disconnected(result chan<- error) {
	if !l.any((*member).alive) {
		l.sockets.CloseAll()
	}
	l.m.events.Then(l.work, func() { l.files.Await(time.Second, func() { result <- nil }) })
}
