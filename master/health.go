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

// health is the state of the health checks of a worker.
type health struct {
	started  bool
	last     uint32 // number of the last check
	waiting  bool   // for the answer to it
	failures int    // in a row
	stop     func() // stops the timer of the next check; nil before the first
}

var errNoAnswer = errors.New("no answer")

// healthInterval returns how often workers are checked; 0 means never.
func (c Config) healthInterval() time.Duration {
	return duration(c.HealthInterval, defaultHealthInterval)
}

func (c Config) healthFailures() int {
	if c.HealthFailures == 0 {
		return defaultHealthFailures
	}
	return c.HealthFailures
}

// startHealthChecks starts the checks of a worker that has said that it answers them.
func (l *loop) startHealthChecks(m *member) {
	if m.health.started || m.gen.cfg.healthInterval() == 0 {
		return
	}
	m.health.started = true
	l.checkHealth(m)
}

// checkHealth sends the worker a check, and another after each interval as long as it
// serves. A check that the worker has not answered by the next one has failed.
func (l *loop) checkHealth(m *member) {
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
	_ = m.process.link.Send(wire.Frame{Type: wire.Check, Call: m.health.last, Body: body}) // if it fails, so does the check
	m.health.stop = l.after(interval, func() { l.checkHealth(m) })
}

// stopChecks stops the timer of the next check, which would keep a dead worker in memory.
func (h *health) stopChecks() {
	if h.stop != nil {
		h.stop()
	}
}

// healthChecked handles the answer to a check. A late answer is ignored.
func (l *loop) healthChecked(m *member, p link.Packet) error {
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

// unhealthy counts a failed check, and recycles the worker after Config.HealthFailures in
// a row.
func (l *loop) unhealthy(m *member, err error) {
	m.health.failures++
	l.log.Warn("rota: worker is not well", "worker", m.ID, "pid", m.pid(), "times", m.health.failures, "err", err)
	if m.health.failures >= m.gen.cfg.healthFailures() {
		l.recycle(m, "health")
	}
}
