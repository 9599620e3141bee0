package sdnotify

import (
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/reload"
)

// Status is what a master reports to its manager.
type Status struct {
	Phase      reload.Phase
	Leaving    bool  // the master is about to stop
	Upgrading  bool  // an upgrade was asked for, or is under way
	Failed     error // of the last reload or upgrade; nil if it has succeeded
	Generation int   // of the workers
	Latest     int   // the number of the latest generation
	Workers    int   // how many the master keeps
	Ready      int
	Starting   int
	Draining   int
}

// NewStatus returns the status of a master with these workers of Run.
func NewStatus(state reload.State, goal reload.Goal, workers *reload.Rota, latest int, upgrading bool, failed error) Status {
	s := Status{
		Phase: state.Phase(), Leaving: state.Leaving(), Upgrading: upgrading, Failed: failed,
		Generation: goal.Generation, Latest: latest, Workers: goal.Workers,
	}
	s.Starting, s.Ready, s.Draining = workers.Count()
	return s
}

// service returns the phase of the service, or "" while it stays as it was reported: a
// reload reports itself when it begins.
func (s Status) service() string {
	switch {
	case s.Leaving || s.Phase.Stopping():
		return daemon.SdNotifyStopping
	case s.Phase == reload.PhaseServing, s.Phase == reload.PhaseRollingBack, s.Phase == reload.PhaseUpgrading:
		return daemon.SdNotifyReady
	}
	return ""
}

// String returns the status line.
func (s Status) String() string {
	line := fmt.Sprintf("generation %d: %d of %d workers ready", s.Generation, s.Ready, s.Workers)
	return line + andCount(s.Starting, "starting") + andCount(s.Draining, "draining") + s.change()
}

// change returns what is going on, or what has failed last.
func (s Status) change() string {
	switch {
	case s.Leaving || s.Phase.Stopping():
		return "; stopping"
	case s.Upgrading:
		return "; upgrading the master"
	case s.Phase == reload.PhasePreparingReload, s.Phase == reload.PhaseRollingOut:
		return fmt.Sprintf("; reloading to generation %d", s.Latest)
	case s.Failed != nil:
		first, _, _ := strings.Cut(s.Failed.Error(), "\n")
		return "; failed: " + logline.Clean(first, false)
	}
	return ""
}

func andCount(n int, state string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d %s", n, state)
}
