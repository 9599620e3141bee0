package logline

import (
	"errors"
	"log/slog"
	"time"

	"github.com/rota-go/rota/reload"
)

// Rollout has the log lines about reloads, and upgrades.
type Rollout struct{ *slog.Logger }

// Ended says how a reload that began has ended: err is nil if the workers of a generation
// serve.
func (l Rollout) Ended(generation, workers int, began time.Time, err error) {
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case err == nil:
		l.Info("rota: reload done", "generation", generation, "workers", workers, "took", took)
	case errors.Is(err, reload.ErrSuperseded):
		l.Warn("rota: reload superseded by a newer one", "after", took, "err", err)
	default:
		l.Error("rota: reload failed, the old workers keep serving", "after", took, "err", err)
	}
}

// TookOver says that a process is the master since now. died is why there is no old master any
// more, or nil.
func (l Rollout) TookOver(pid int, began time.Time, died error) {
	if died != nil {
		l.Warn("rota: the old master died during the upgrade", "err", died)
	}
	l.Info("rota: master took over", "pid", pid, "took", time.Since(began).Round(time.Millisecond))
}

// Waits says that a reload begins to wait for workers that drain.
func (l Rollout) Waits(draining int) {
	l.Warn("rota: reload waits until workers have drained", "draining", draining)
}

// Unjudged says that a rollout is done whose canaries had answered too few requests to be judged.
func (l Rollout) Unjudged(generation int, requests, of int64) {
	l.Info("rota: canaries not judged", "generation", generation, "requests", requests, "of", of)
}
