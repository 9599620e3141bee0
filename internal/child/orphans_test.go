package child

import (
	"slices"
	"testing"
	"time"
)

// Orphans are reaped every second until Stop, and never a worker.
func TestOrphans(t *testing.T) {
	var next func()
	var asked, reaped []int
	o := &Orphans{
		Work:    func(f func() func()) { f()() },
		After:   func(_ time.Duration, f func()) func() { next = f; return nil },
		Workers: func() map[int]bool { return map[int]bool{7: true} },
		Reap: func(workers map[int]bool) []int {
			asked = append(asked, len(workers))
			if len(asked) == 2 {
				return nil
			}
			return []int{len(asked)}
		},
		Reaped: func(pids []int) { reaped = append(reaped, pids...) },
	}
	o.Start()
	for range 3 {
		next()
	}
	o.Stop()
	next()
	if want := []int{1, 3}; !slices.Equal(reaped, want) || len(asked) != 3 {
		t.Errorf("reaped %v in %d turns, want %v in 3", reaped, len(asked), want)
	}
	(*Orphans)(nil).Stop()
}
