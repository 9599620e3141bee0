package reload

import (
	"testing"
	"time"
)

// A new worker whose link has closed will fail the rollout when its exit is known. Until
// then no other new worker is started.
func TestLostWorkerKeepsItsPlace(t *testing.T) {
	now := time.Unix(1000, 0)
	before := now.Add(-time.Minute)
	members := []Member{
		{ID: 1, Slot: 0, Generation: 1, Started: before, Ready: before},
		{ID: 2, Slot: 1, Generation: 1, Started: before, Ready: before},
		{ID: 3, Slot: 0, Generation: 2, Started: now, Unlinked: now},
	}
	goal := Goal{Workers: 2, Generation: 1, Next: 2, Established: true}
	steps, wake := Policy{}.Next(goal, members, now)
	for _, s := range steps {
		if s.Do == Start {
			t.Errorf("a worker of generation %d is started in slot %d", s.Generation, s.Slot)
		}
	}
	if wake.IsZero() || wake.After(now.Add(2*time.Second)) {
		t.Errorf("wake is %v, want the end of the wait for the exit", wake)
	}
	members[2].Exited = now
	if steps, _ := (Policy{}).Next(goal, members, now); len(steps) != 1 || steps[0].Do != Abort || steps[0].ID != 3 {
		t.Errorf("after its exit: %v, want an abort because of worker 3", steps)
	}
}
