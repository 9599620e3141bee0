package spread

import (
	"slices"
	"testing"
)

// Where somebody waits at two looks in a row, nobody accepts.
func TestLineLook(t *testing.T) {
	for _, tt := range []struct {
		name  string
		waits []bool
		want  bool // at the last look
	}{
		{"nobody", []bool{false, false}, false},
		{"somebody has just come", []bool{true}, false},
		{"two looks in a row", []bool{true, true}, true},
		{"accepted in between", []bool{true, false, true}, false},
		{"nobody is woken with success", []bool{true, true, true}, true},
		{"accepted in the end", []bool{true, true, false}, false},
	} {
		var l Line
		got := false
		for _, w := range tt.waits {
			got = l.Look(w)
		}
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Each worker is woken in turn, whichever there are.
func TestLineNext(t *testing.T) {
	var l Line
	for i, tt := range []struct {
		workers []int
		want    int
	}{
		{[]int{3, 1, 2}, 1}, {[]int{1, 2, 3}, 2}, {[]int{3, 2, 1}, 3}, {[]int{1, 2, 3}, 1},
		{[]int{3, 4}, 3}, {[]int{5}, 5}, {[]int{5}, 5}, {[]int{1, 2}, 1},
	} {
		if got, ok := l.Next(slices.Clone(tt.workers)); got != tt.want || !ok {
			t.Errorf("%d: of %v: %d, %v, want %d", i, tt.workers, got, ok, tt.want)
		}
	}
	if id, ok := l.Next(nil); ok {
		t.Errorf("of none: %d", id)
	}
}
