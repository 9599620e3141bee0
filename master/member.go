package master

import (
	"os"
	"slices"

	"github.com/rota-go/rota/internal/balance"
	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// member is a worker as the loop sees it.
type member struct {
	reload.Member // as the policy sees it
	worker        *Worker
	gen           *generation
	pooled        bool           // Run's: the policy decides on it
	process       *child.Process // nil until it is started

	linkOpen bool // frames may still come
	running  bool // the process has not ended
	exit     Exit

	onStart   func(*Worker)   // answers Fork
	hello     *wire.HelloBody // nil until it came
	listening bool            // it has been given a socket
	care      child.Patient   // its health and memory
	leaves    bool            // it is in loop.leaving
	signals   []os.Signal     // of Kill, for when the process runs
	held      child.Held      // of Signal, for when it is online

	reader *delivery.Reader[Events]
}

func (m *member) alive() bool { return m.Exited.IsZero() }

// serving members are those that the rota counts on.
func (m *member) serving() bool {
	return m.alive() && m.Draining.IsZero() && m.Unlinked.IsZero()
}

// moves reports whether the worker can move connections, or take them.
func (m *member) moves() bool { return m.linkOpen && m.hello != nil && m.hello.Moves }

// state returns where the worker is in its life.
func (m *member) state() State { return child.StateOf(&m.Member, m.hello != nil, m.listening) }

// publish makes what the loop knows of the worker what its Worker answers. It is called
// after each change, before the event of the change.
func (m *member) publish() {
	s := child.Snapshot[State]{State: m.state(), Connected: m.linkOpen}
	if m.process != nil {
		s.Process, s.Link = m.process.OS, m.process.Link
	}
	m.worker.published.Publish(s)
}

// send sends a frame without descriptors.
func (m *member) send(t wire.Type, body any) { m.process.Send(t, 0, body) }

// signal sends a signal, unless the process has not been started, or has ended.
func (m *member) signal(s os.Signal) error {
	if !m.running {
		return nil
	}
	return m.process.Signal(s)
}

func (m *member) pid() int { return m.process.PID() }

// forget takes out a member that is dead.
func (l *loop) forget(m *member) {
	l.rota.Remove(&m.Member)
	l.leaving.Remove(&m.Member)
	l.moves.Delete(&m.care)
	l.members.Delete(m.ID)
}

// any reports whether is is true of a member.
func (l *loop) any(is func(*member) bool) bool { return slices.ContainsFunc(l.members.All(), is) }

// changed is called when a field of m.Member has changed.
func (l *loop) changed(m *member) {
	switch {
	case m == nil:
	case m.pooled:
		l.rota.Changed(&m.Member)
	case m.leaves:
		l.leaving.Changed(&m.Member)
	case m.alive() && !m.serving():
		m.leaves = true
		l.leaving.Add(&m.Member)
	}
}

// workers returns the workers that are alive, by id.
func (l *loop) workers() (all []*Worker) {
	for _, m := range l.members.All() {
		if m.alive() {
			all = append(all, m.worker)
		}
	}
	return all
}

// balanced returns the workers of Run that may give connections to each other.
func (l *loop) balanced() (all []balance.Worker) {
	for _, m := range l.members.All() {
		if m.pooled && m.serving() && !m.Ready.IsZero() && m.moves() && m.hello.Spares && m.hello.Counts {
			all = append(all, balance.Worker{ID: m.ID, Process: m.process})
		}
	}
	return all
}

// patients returns the members of Run, for their care.
func (l *loop) patients() (all []*child.Patient) {
	for _, m := range l.members.All() {
		if m.pooled {
			all = append(all, &m.care)
		}
	}
	return all
}

// pids returns the processes that the loop waits for.
func (l *loop) pids() map[int]bool {
	pids := map[int]bool{}
	for _, m := range l.members.All() {
		pids[m.pid()] = true
	}
	return pids
}
