package logline

import (
	"log/slog"
	"os"
	"time"

	"github.com/rota-go/rota/reload"
)

// Worker has the log lines about the life of a worker.
type Worker struct{ *slog.Logger }

// Ready says that a worker accepts on addresses.
func (l Worker) Ready(m *reload.Member, pid int, on []string) {
	l.Info("rota: worker ready", "worker", m.ID, "pid", pid, "slot", m.Slot,
		"generation", m.Generation, "after", m.Ready.Sub(m.Started).Round(time.Millisecond/10), "on", on)
}

// Late says that a worker is not ready in time, for want of the missing addresses. In a first start there are none: no worker
// has served any.
func (l Worker) Late(m *reload.Member, pid int, missing []string) {
	args := []any{"worker", m.ID, "pid", pid, "slot", m.Slot, "after", m.Late.Sub(m.Started).Round(time.Millisecond)}
	if len(missing) > 0 {
		args = append(args, "missing", missing)
	}
	l.Warn("rota: worker is not ready in time, it is waited for as nobody else serves its slot", args...)
}

// Ended says how the process of a worker has ended: with code, or as text says.
func (l Worker) Ended(m *reload.Member, pid, code int, text string) {
	args := []any{"worker", m.ID, "pid", pid, "slot", m.Slot, "generation", m.Generation,
		"after", time.Since(m.Started).Round(time.Millisecond), "exit", ending(m, code, text)}
	if m.Voluntary {
		l.Info("rota: worker left", args...)
		return
	}
	l.Error("rota: worker died", args...)
}

// ending returns how a process has ended, as text says. The usual main of a server,
// log.Fatal(srv.Serve(ln)), ends with status 1 when the worker has drained, as it was asked to.
func ending(m *reload.Member, code int, text string) string {
	if !m.Draining.IsZero() && code == 1 {
		return "as asked (" + text + ")"
	}
	return text
}

// Forced says that a worker that has not ended in time was sent a signal, with what result.
func (l Worker) Forced(m *reload.Member, pid int, sig os.Signal, err error) {
	l.Warn("rota: worker does not end", "worker", m.ID, "pid", pid, "signal", sig)
	if err != nil {
		l.Error("rota: worker can't be signalled", "worker", m.ID, "pid", pid, "err", err)
	}
}

// CantMove says why connections of a worker stay where they are.
func (l Worker) CantMove(m *reload.Member, pid int, err error) {
	l.Warn("rota: connections of worker can't move", "worker", m.ID, "pid", pid, "err", err)
}

// Recycled says that a worker is to be replaced, and why.
func (l Worker) Recycled(m *reload.Member, pid int, why string) {
	l.Info("rota: worker is to be replaced", "worker", m.ID, "pid", pid, "why", why)
}

// TooLarge says that a worker uses more bytes of memory than its limit.
func (l Worker) TooLarge(m *reload.Member, pid int, used, limit int64) {
	l.Info("rota: worker uses too much memory", "worker", m.ID, "pid", pid, "bytes", used, "limit", limit)
}

// Unwell says that a worker has failed so many health checks in a row.
func (l Worker) Unwell(m *reload.Member, pid int, times int, err error) {
	l.Warn("rota: worker is not well", "worker", m.ID, "pid", pid, "times", times, "err", err)
}

// Reported says what a worker says that is wrong with it.
func (l Worker) Reported(m *reload.Member, pid int, text string) {
	l.Warn("rota: worker says that it is not well", "worker", m.ID, "pid", pid, "slot", m.Slot, "generation", m.Generation, "err", text)
}

// Reaped says which orphans were reaped.
func (l Worker) Reaped(pids []int) { l.Debug("rota: orphans reaped", "pids", pids) }

// Undelivered says how many messages to a worker that has ended it has not taken.
func (l Worker) Undelivered(m *reload.Member, pid, messages int) {
	if messages > 0 {
		l.Warn("rota: messages to worker not delivered", "worker", m.ID, "pid", pid, "messages", messages)
	}
}

// Misses says that a worker misses broadcasts of others. It is said once a worker.
func (l Worker) Misses(m *reload.Member, pid int) {
	l.Warn("rota: worker misses broadcasts, it doesn't read fast enough", "worker", m.ID, "pid", pid)
}
