package health

import (
	"fmt"

	"github.com/rota-go/rota/reload"
)

// report is what is known of a master at a time. The decisions are functions of it.
type report struct {
	answered bool // the loop has answered in time
	ready    int  // slots with a worker that is ready
	slots    int
	state    reload.State
}

// alive reports whether the master works, and why not.
func (r report) alive() (ok bool, why string) {
	switch {
	case !r.answered:
		return false, "the master doesn't answer"
	case r.state.Phase() == reload.PhaseClosed:
		return false, "the master has ended"
	}
	return true, "ok"
}

// leaves reports whether no new clients are wanted. With inDelay they are during a StopDelay.
func (r report) leaves(inDelay bool) bool {
	if inDelay {
		return r.state.Phase().Stopping()
	}
	return r.state.Leaving()
}

// isReady reports whether new clients are welcome, and why not.
func (r report) isReady(cfg Config) (ok bool, why string) {
	count := fmt.Sprintf("%d of %d workers ready", min(r.ready, r.slots), r.slots)
	switch ok, why := r.alive(); {
	case !ok:
		return false, why
	case r.state.Drained():
		return false, "drained; " + count
	case r.leaves(cfg.ReadyInDelay):
		return false, "stopping; " + count
	}
	return r.slots > 0 && r.ready >= min(max(cfg.MinReady, 1), r.slots), count
}

// agent returns the line for HAProxy's agent-check. The percentage is of the weight that HAProxy's
// configuration gives the server; it is at least 1, as 0 would mean drain.
func (r report) agent(cfg Config) string {
	alive, _ := r.alive()
	cfg.ReadyInDelay = true
	ready, _ := r.isReady(cfg)
	switch {
	case alive && (r.state.Drained() || r.leaves(false)):
		return "drain"
	case !ready:
		return "down"
	}
	return fmt.Sprintf("ready up %d%%", max(1, min(100, 100*r.ready/r.slots)))
}
