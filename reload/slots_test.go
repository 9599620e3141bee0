package reload

import (
	"slices"
	"testing"
	"time"
)

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
	members := []Member{
		{}, {Ready: now}, {Ready: now, Recycle: true}, {Ready: now, Draining: now}, {Unlinked: now}, {Killed: now}, {Ready: now, Exited: now},
		{Slot: 1, Started: now.Add(-time.Second), Ready: now}, {Slot: 2, Ready: now, Draining: now}, {Slot: 7, Ready: now},
		{Started: now.Add(-time.Hour), Ready: now, Draining: now, Exited: now},
	}
	for i := range members {
		members[i].ID = i + 1
		if members[i].Started.IsZero() {
			members[i].Started = now
		}
	}
	r := rotaOf(Goal{Workers: 3}, members)
	starting, ready, leaving := r.Count()
	if starting != 1 || ready != 4 || leaving != 4 || r.Draining() != 2 || r.Served() != 2 || r.SlowestStart() != time.Second {
		t.Errorf("%d start, %d are ready, %d leave, %d drain, %d slots are served, %v", starting, ready, leaving, r.Draining(), r.Served(), r.SlowestStart())
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
