package reload

import (
	"slices"
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

func TestReceiver(t *testing.T) {
	now := time.Now()
	members := []Member{
		{ID: 1, Slot: 0, Ready: now}, {ID: 2, Slot: 0, Ready: now}, {ID: 3, Slot: 0}, {ID: 4, Slot: 0, Ready: now, Draining: now},
		{ID: 5, Slot: 1, Ready: now}, {ID: 6, Slot: 1, Ready: now, Exited: now}, {ID: 7, Slot: 2},
	}
	for _, tc := range []struct {
		id, slot int
		want     []int
	}{
		{1, 0, []int{2}}, {2, 0, []int{1}}, {9, 0, []int{2}}, // of the same slot
		{5, 1, []int{1, 2}}, {7, 2, []int{1, 2, 5}}, {8, 3, []int{1, 2, 5}}, // of another
	} {
		if got := Receiver(Member{ID: tc.id, Slot: tc.slot}, members); !slices.Contains(tc.want, got) {
			t.Errorf("receiver of %d in slot %d: %d, want one of %v", tc.id, tc.slot, got, tc.want)
		}
	}
	if got := Receiver(members[0], members[:1]); got != 0 {
		t.Errorf("alone: %d", got)
	}
}

func TestPredecessor(t *testing.T) {
	now := time.Now()
	members := []Member{
		{ID: 1, Slot: 0, Ready: now, Draining: now}, {ID: 2, Slot: 0, Ready: now}, {ID: 3, Slot: 0}, {ID: 4, Slot: 0, Ready: now},
		{ID: 5, Slot: 1, Ready: now, Exited: now}, {ID: 6, Slot: 2},
	}
	for _, tc := range []struct{ id, slot, want int }{
		{1, 0, 0}, {2, 0, 1}, {3, 0, 2}, {4, 0, 2}, {9, 0, 4}, {0, 0, 4}, // 0: of another master
		{7, 1, 0}, {7, 2, 0}, {7, 3, 0}, // a crash, one that is not ready, none
	} {
		if got := Predecessor(Member{ID: tc.id, Slot: tc.slot}, members); got != tc.want {
			t.Errorf("predecessor of %d in slot %d: %d, want %d", tc.id, tc.slot, got, tc.want)
		}
	}
}

func TestCount(t *testing.T) {
	now := time.Now()
	starting, ready, draining := Count([]Member{
		{}, {Ready: now}, {Ready: now, Recycle: true}, {Ready: now, Draining: now}, {Unlinked: now}, {Killed: now}, {Ready: now, Exited: now},
	})
	if starting != 1 || ready != 2 || draining != 3 {
		t.Errorf("%d start, %d are ready, %d drain; want 1, 2, 3", starting, ready, draining)
	}
}

func TestUnkillable(t *testing.T) {
	now := time.Now()
	long, just := now.Add(-UnkillableAfter), now.Add(-UnkillableAfter/2)
	for _, tc := range []struct {
		members []Member
		want    int
	}{
		{nil, 0}, {[]Member{{Killed: long}, {Killed: long, Exited: now}, {Killed: long}}, 2},
		{[]Member{{Killed: long}, {Killed: just}}, 0}, {[]Member{{Killed: long}, {}}, 0},
	} {
		if got := Unkillable(tc.members, now); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.members, got, tc.want)
		}
	}
}
