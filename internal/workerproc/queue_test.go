package workerproc

import "testing"

// The queues are looked at until nobody has waited at one look and at those of the 100 ms before it, or for a
// second: looks count, however long the process didn't run between two of them.
func TestLooks(t *testing.T) {
	for name, tc := range map[string]struct {
		waits func(look int) bool // looks are counted from 1
		last  int
	}{
		"nobody":            {func(int) bool { return false }, 21},
		"somebody at first": {func(n int) bool { return n == 1 }, 22},
		"late":              {func(n int) bool { return n == 20 }, 41},
		"now and then":      {func(n int) bool { return n < 100 && n%20 == 0 }, 101},
		"always":            {func(int) bool { return true }, 201},
	} {
		var l looks
		n := 1
		for !l.another(tc.waits(n)) {
			n++
		}
		if n != tc.last {
			t.Errorf("%s: the last look is number %d, want %d", name, n, tc.last)
		}
	}
}
