package reload

import (
	"testing"
	"time"
)

func TestFreeSlot(t *testing.T) {
	now := time.Now()
	members := []Member{
		{Slot: 0}, {Slot: 1, Exited: now}, {Slot: 2}, {Slot: 2, Exited: now}, {Slot: 3, Draining: now},
	}
	for first, want := range []int{1, 1, 4, 4, 4, 5} {
		if got := FreeSlot(first, members); got != want {
			t.Errorf("from %d: %d, want %d", first, got, want)
		}
	}
}

func TestEarlier(t *testing.T) {
	never, soon, late := time.Time{}, time.Unix(1, 0), time.Unix(2, 0)
	for _, tc := range [][3]time.Time{
		{never, never, never}, {soon, never, soon}, {never, soon, soon}, {soon, late, soon}, {late, soon, soon},
	} {
		if got := Earlier(tc[0], tc[1]); got != tc[2] {
			t.Errorf("Earlier(%v, %v) = %v", tc[0], tc[1], got)
		}
	}
}
