package quiet

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Wait looks right before it returns, though the process didn't run for a second between two looks, and
// when ctx ends it returns at once.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, n := time.Now(), 0
		late := func() bool {
			if n++; n == 3 {
				time.Sleep(time.Second) // somebody comes meanwhile
			}
			return n == 4
		}
		if Wait(t.Context(), late); n != 25 || time.Since(begun) < time.Second+100*time.Millisecond {
			t.Errorf("%d looks in %v", n, time.Since(begun))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if Wait(ctx, func() bool { return true }); time.Since(begun) > 1200*time.Millisecond {
			t.Errorf("after the end of its context: %v", time.Since(begun))
		}
	})
}

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
