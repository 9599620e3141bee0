package master

import (
	"os"
	"sync/atomic"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// member is a worker as the loop sees it.
type member struct {
	reload.Member // as the policy sees it
	worker        *Worker
	gen           *generation
	pooled        bool           // Run's: the policy decides on it
	process       *workerProcess // nil until it is started

	linkOpen bool // frames may still come
	running  bool // the process has not ended
	exit     Exit

	held      map[int]*socket    // by id: it has them open
	keys      map[socketKey]bool // of held
	asked     map[int]*socket    // by id: it has ever asked for them
	isReady   bool               // the program has said so
	onStart   func(*Worker)      // Fork's answer
	hello     *wire.HelloBody    // nil until it came
	listening bool               // it has been given a socket
	health    health
	signals   []os.Signal // of Kill, for when the process runs

	direct atomic.Bool  // it is online: its reader may pass messages past the loop
	behind atomic.Int32 // batches that its reader has brought to the loop, not yet handled
}

func (m *member) alive() bool { return m.Exited.IsZero() }

// serving members are those that the rota counts on.
func (m *member) serving() bool {
	return m.alive() && m.Draining.IsZero() && m.Unlinked.IsZero()
}

// state returns where the worker is in its life.
func (m *member) state() State {
	switch {
	case !m.alive():
		return Dead
	case !m.Unlinked.IsZero():
		return Disconnected
	case !m.Draining.IsZero():
		return Draining
	case m.listening:
		return Listening
	case m.hello != nil:
		return Online
	}
	return Starting
}

// publish makes what the loop knows of the worker what its Worker answers. It is called
// after each change, before the event of the change.
func (m *member) publish() {
	s := snapshot{state: m.state(), connected: m.linkOpen}
	if m.process != nil {
		s.process, s.link = m.process.os, m.process.link
	}
	m.worker.publish(s)
}

// hold and unhold keep held and its keys.
func (m *member) hold(s *socket) {
	m.held[s.id] = s
	m.keys[s.key] = true
}

func (m *member) unhold(s *socket) {
	delete(m.held, s.id)
	delete(m.keys, s.key)
}

func (m *member) holds(key socketKey) bool { return m.keys[key] }

// send sends a frame without descriptors. Where the link has ended, nobody is left
// to read it.
func (m *member) send(t wire.Type, body any) {
	if m.process == nil {
		return
	}
	f := wire.Frame{Type: t}
	if body != nil {
		f.Body = wire.Body(body)
	}
	_ = m.process.link.Send(f)
}

func (m *member) signal(s os.Signal) error {
	if m.process == nil || !m.running {
		return nil
	}
	err := m.process.signal(s)
	if err == os.ErrProcessDone {
		return nil
	}
	return err
}

func (m *member) pid() int {
	if m.process == nil || m.process.os == nil {
		return 0
	}
	return m.process.os.Pid
}
