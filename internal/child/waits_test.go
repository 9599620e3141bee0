package child

import (
	"slices"
	"testing"
)

// A wait ends when the last of its workers has gone, and ends once.
func TestWaits(t *testing.T) {
	var w Waits
	var over []string
	add := func(name string, ids ...int) {
		set := map[int]bool{}
		for _, id := range ids {
			set[id] = true
		}
		w.Add(set, func() { over = append(over, name) })
	}
	add("none")
	add("one", 1)
	add("two", 1, 2)
	w.Gone(3)
	if want := []string{"none"}; !slices.Equal(over, want) || !w.Waiting() {
		t.Errorf("over: %v, waiting %v; want %v, true", over, w.Waiting(), want)
	}
	w.Gone(1)
	w.Gone(1)
	w.Gone(2)
	if want := []string{"none", "one", "two"}; !slices.Equal(over, want) || w.Waiting() {
		t.Errorf("over: %v, waiting %v; want %v, false", over, w.Waiting(), want)
	}
}
