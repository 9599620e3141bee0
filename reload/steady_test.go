package reload

import (
	"testing"
	"time"
)

func TestIsSteady(t *testing.T) {
	at := time.Unix(1, 0)
	ready := func(slot int) Member { return Member{Slot: slot, Ready: at} }
	for _, tc := range []struct {
		name    string
		workers int
		members []Member
		want    bool
	}{
		{"none wanted", 0, nil, true},
		{"none there", 1, nil, false},
		{"all ready", 2, []Member{ready(1), ready(0)}, true},
		{"one slot twice", 2, []Member{ready(1), ready(1)}, false},
		{"a dead one", 1, []Member{{Exited: at}, ready(0)}, true},
		{"one starts", 1, []Member{ready(0), {Slot: 0}}, false},
		{"one drains", 1, []Member{ready(0), {Slot: 0, Ready: at, Draining: at}}, false},
		{"one is lost", 1, []Member{{Slot: 0, Ready: at, Unlinked: at}}, false},
		{"one is forked", 1, []Member{ready(0), ready(7)}, true},
	} {
		for i := range tc.members {
			tc.members[i].ID = i + 1
		}
		if got := rotaOf(Goal{Workers: tc.workers}, tc.members).IsSteady(tc.workers); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}
