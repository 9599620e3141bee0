package master

import (
	"errors"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

const (
	defaultHealthInterval = 10 * time.Second
	defaultHealthFailures = 3
)

// health is what is known of a worker that can say how it is.
type health struct {
	watched  bool
	last     uint32 // number of the last question
	waiting  bool   // for its answer
	failures int    // in a row
	stop     func() // the next question; nil: none will come
}

var errNoAnswer = errors.New("no answer")

func (c Config) healthInterval() time.Duration {
	return duration(c.HealthInterval, defaultHealthInterval)
}

func (c Config) healthFailures() int {
	if c.HealthFailures == 0 {
		return defaultHealthFailures
	}
	return c.HealthFailures
}

// watch: the worker can be asked from now on.
func (l *loop) watch(m *member) {
	if m.health.watched || m.gen.cfg.healthInterval() == 0 {
		return
	}
	m.health.watched = true
	l.check(m)
}

// check asks the worker how it is, and again after the interval, until it leaves.
func (l *loop) check(m *member) {
	if !m.serving() || m.Recycle {
		return
	}
	if m.health.waiting {
		l.unhealthy(m, errNoAnswer)
	}
	interval := m.gen.cfg.healthInterval()
	m.health.last++
	m.health.waiting = true
	body := wire.Body(wire.CheckBody{Within: interval})
	_ = m.process.link.Send(wire.Frame{Type: wire.Check, Call: m.health.last, Body: body}) // no answer is one
	m.health.stop = l.after(interval, func() { l.check(m) })
}

// end asks no more: a timer would keep a worker that has gone in memory.
func (h *health) end() {
	if h.stop != nil {
		h.stop()
	}
}

// checked is the answer. One that comes late is none.
func (l *loop) checked(m *member, p link.Packet) error {
	var body wire.CheckedBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	if p.Call != m.health.last || !m.health.waiting {
		return nil
	}
	m.health.waiting = false
	if body.Error != "" {
		l.unhealthy(m, errors.New(body.Error))
		return nil
	}
	m.health.failures = 0
	return nil
}

// unhealthy counts, and has the worker replaced when it is enough.
func (l *loop) unhealthy(m *member, err error) {
	m.health.failures++
	l.log.Warn("rota: worker is not well", "worker", m.ID, "pid", m.pid(), "times", m.health.failures, "err", err)
	if m.health.failures >= m.gen.cfg.healthFailures() {
		l.recycle(m, "health")
	}
}
