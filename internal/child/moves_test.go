package child

import (
	"testing"
	"time"

	"github.com/rota-go/rota/reload"
)

// moveable returns the workers of a table; those that can't move connections have a negative slot there.
func moveable(members ...reload.Member) (*Moves, []*Patient) {
	v, all := &Moves{}, make([]*Patient, len(members))
	for i, m := range members {
		moves := m.Slot >= 0
		if m.ID = i + 1; !moves {
			m.Slot = -m.Slot
		}
		all[i] = &Patient{Member: &m, Moves: func() bool { return moves }}
		v.Add(all[i])
	}
	return v, all
}

func TestFreeSlot(t *testing.T) {
	now := time.Now()
	v, all := moveable(reload.Member{Slot: 0}, reload.Member{Slot: 1, Exited: now}, reload.Member{Slot: 2},
		reload.Member{Slot: 2, Exited: now}, reload.Member{Slot: 3, Draining: now})
	for first, want := range []int{1, 1, 4, 4, 4, 5} {
		if got := v.FreeSlot(first); got != want {
			t.Errorf("from %d: %d, want %d", first, got, want)
		}
	}
	if v.Delete(all[0]); v.FreeSlot(0) != 0 {
		t.Error("the slot of a worker that has gone isn't free")
	}
}

// Connections go to a worker of the slot that can take them, or else of another; what a worker leaves goes to
// its successor alone.
func TestMovesTo(t *testing.T) {
	now := time.Now()
	ready := func(slot int) reload.Member { return reload.Member{Slot: slot, Ready: now} }
	v, all := moveable(ready(1), ready(1), ready(2), ready(-2), ready(3))
	const other = 0 // any that can take them, of another slot
	for i, tc := range []struct{ receiver, predecessor int }{{2, 0}, {1, 1}, {other, 0}, {3, 3}, {other, 0}} {
		m := *all[i].Member
		to := v.Receiver(m)
		if to == nil || to.ID == 4 || to.ID == m.ID || (to.Slot != m.Slot) != (tc.receiver == other) || tc.receiver != other && to.ID != tc.receiver {
			t.Errorf("%d: its connections go to %v, want %d", m.ID, to, tc.receiver)
		}
		if p := v.Predecessor(m); (p != nil) != (tc.predecessor > 0) || p != nil && p.ID != tc.predecessor {
			t.Errorf("%d: predecessor %v, want %d", m.ID, p, tc.predecessor)
		}
	}
	v.Delete(all[0])
	if p := v.Predecessor(*all[1].Member); p != nil {
		t.Errorf("a worker that has gone is the predecessor: %v", p)
	}
	for _, p := range all[1:] {
		v.Delete(p)
	}
	if to := v.Receiver(reload.Member{Slot: 1}); to != nil {
		t.Errorf("nobody is there, and connections go to %v", to)
	}
}
