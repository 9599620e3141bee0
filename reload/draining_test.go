package reload

import (
	"math"
	"testing"
)

// How many workers may drain when a reload begins.
func TestCrowded(t *testing.T) {
	for _, tc := range []struct {
		most, workers, draining int
		want                    bool
	}{
		{0, 1, 15, false}, // 16 with that of the reload
		{0, 1, 16, true},
		{0, 8, 24, false}, // four for each
		{0, 8, 25, true},
		{2, 1, 1, false},
		{2, 1, 2, true},
		{2, 8, 0, false}, // a reload adds more than 2: it waits for all to end
		{2, 8, 1, true},
		{math.MaxInt, 8, 1000, false},
		{-1, 8, 25, true}, // the default
	} {
		if got := (Policy{MaxDraining: tc.most}).Crowded(tc.workers, tc.draining); got != tc.want {
			t.Errorf("%+v: %t", tc, got)
		}
	}
}

// Workers are recycled only as far as MaxDraining allows; after a crash the next starts
// all the same.
func TestMaxDraining(t *testing.T) {
	runTimelines(t, []timeline{{
		name:   "the next is recycled when one that drains has ended",
		policy: Policy{MaxDraining: 1},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  recycle a1, recycle b1 | start a1'
			   3s  ready a1'            | disconnect a1
			   4s  crash a1'            |
			 4.1s  wake                 | start a1'' (1), forget a1'
			   5s  ready a1''           |
			   9s  exit a1              | forget a1, start b1'
			  end                       | a1'' b1 b1', asks at 1m9s`,
	}, {
		name:   "no limit",
		policy: Policy{MaxDraining: math.MaxInt},
		text: `
			   0s  size 2               | start a1, start b1
			   1s  ready a1, ready b1   | establish
			   2s  recycle a1, recycle b1 | start a1'
			   3s  ready a1'            | disconnect a1, start b1'
			  end                       | a1' b1 b1', leaving a1, asks at 39s`,
	}})
}
