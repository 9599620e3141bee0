package sdnotify

import (
	"errors"
	"testing"

	"github.com/rota-go/rota/reload"
)

func TestStatus(t *testing.T) {
	failed := errors.New("reload: worker died\nmore")
	for _, tc := range []struct {
		status        Status
		service, line string
	}{
		{Status{Phase: reload.PhaseStarting, Generation: 1, Workers: 4, Ready: 1, Starting: 3}, "", "generation 1: 1 of 4 workers ready, 3 starting"},
		{Status{Phase: reload.PhaseServing, Generation: 1, Workers: 4, Ready: 4, Draining: 1}, "READY=1", "generation 1: 4 of 4 workers ready, 1 draining"},
		{Status{Phase: reload.PhaseRollingOut, Generation: 1, Latest: 2, Workers: 4, Ready: 4, Failed: failed}, "", "generation 1: 4 of 4 workers ready; reloading to generation 2"},
		{Status{Phase: reload.PhaseServing, Generation: 1, Latest: 2, Workers: 4, Ready: 4, Failed: failed}, "READY=1", "generation 1: 4 of 4 workers ready; failed: reload: worker died"},
		{Status{Phase: reload.PhaseUpgrading, Upgrading: true, Generation: 1, Workers: 4, Ready: 4}, "READY=1", "generation 1: 4 of 4 workers ready; upgrading the master"},
		{Status{Phase: reload.PhaseStopping, Upgrading: true, Generation: 1, Workers: 4, Draining: 4}, "STOPPING=1", "generation 1: 0 of 4 workers ready, 4 draining; stopping"},
		{Status{Phase: reload.PhaseServing, Leaving: true, Generation: 1, Workers: 4, Ready: 4}, "STOPPING=1", "generation 1: 4 of 4 workers ready; stopping"},
	} {
		if got := tc.status.service(); got != tc.service {
			t.Errorf("phase %v: the service is %q, want %q", tc.status.Phase, got, tc.service)
		}
		if got := tc.status.String(); got != tc.line {
			t.Errorf("phase %v: status %q, want %q", tc.status.Phase, got, tc.line)
		}
	}
}
