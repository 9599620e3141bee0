package logline

import (
	"context"
	"log/slog"
	"time"

	"github.com/rota-go/rota/reload"
)

// The lines of level Debug, which tell each step in the life of a worker. The end of the process
// is one of [Worker.Ended] too.

// about says which worker a line is about, and how long after its start. It is nil if nobody wants
// lines of that level: to make them takes as long as the rest of a small event.
func (l Worker) about(m *reload.Member, pid int, more ...any) []any {
	if !l.Enabled(context.Background(), slog.LevelDebug) {
		return nil
	}
	return append([]any{"worker", m.ID, "pid", pid, "slot", m.Slot, "generation", m.Generation,
		"after", time.Since(m.Started).Round(time.Millisecond / 10)}, more...)
}

// Started says that the process of a worker runs.
func (l Worker) Started(m *reload.Member, pid int) {
	l.Debug("rota: worker started", l.about(m, pid)...)
}

// Greeted says that a worker speaks a version of the protocol that the master speaks.
func (l Worker) Greeted(m *reload.Member, pid int) {
	l.Debug("rota: worker says hello", l.about(m, pid)...)
}

// Asks says that a worker wants a socket.
func (l Worker) Asks(m *reload.Member, pid int, network, address string) {
	l.Debug("rota: worker asks for a socket", l.about(m, pid, "network", network, "address", address)...)
}

// Given says that a worker was sent a socket.
func (l Worker) Given(m *reload.Member, pid int, socket string) {
	l.Debug("rota: worker has a socket", l.about(m, pid, "socket", socket)...)
}

// Refused says that a worker gets no socket, because of err.
func (l Worker) Refused(m *reload.Member, pid int, err error) {
	l.Debug("rota: worker gets no socket", l.about(m, pid, "err", err)...)
}

// Accepts says that a worker has called Accept, or ReadFrom, on a socket.
func (l Worker) Accepts(m *reload.Member, pid int, socket string) {
	l.Debug("rota: worker accepts", l.about(m, pid, "socket", socket)...)
}

// Leaves says that a worker is to drain and leave within a grace.
func (l Worker) Leaves(m *reload.Member, pid int, grace time.Duration) {
	l.Debug("rota: worker is to leave", l.about(m, pid, "grace", grace)...)
}

// Drains says that a worker has begun to drain, by itself or because it was told to.
func (l Worker) Drains(m *reload.Member, pid int) {
	l.Debug("rota: worker drains", l.about(m, pid)...)
}

// Drained says that a worker has closed its link: it has drained, or has died.
func (l Worker) Drained(m *reload.Member, pid int) {
	l.Debug("rota: link of worker closed", l.about(m, pid)...)
}

// Exited says that the process of a worker has ended, as text says.
func (l Worker) Exited(m *reload.Member, pid int, text string) {
	l.Debug("rota: process of worker ended", l.about(m, pid, "exit", text)...)
}
