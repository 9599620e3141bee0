package rota

import "testing"

// The master leaves most processors to the workers.
func TestProcessorsOfMaster(t *testing.T) {
	for all, want := range map[int]int{1: 1, 2: 1, 7: 1, 8: 2, 16: 4, 256: 4} {
		if got := processorsOfMaster(all); got != want {
			t.Errorf("of %d processors the master uses %d, want %d", all, got, want)
		}
	}
}
