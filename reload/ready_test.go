package reload

import (
	"testing"
	"time"
)

func TestIsReady(t *testing.T) {
	begin := time.Unix(1e9, 0)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	a, b, c := "tcp :80", "tcp :443", "unix /run/x"
	for _, c := range []struct {
		name     string
		served   []string
		accepted map[string]time.Time
		now      float64
		ready    bool
		wake     float64 // 0: none
	}{
		{"nothing yet", []string{a}, nil, 9, false, 0},
		{"nothing yet, and no predecessor", nil, nil, 9, false, 0},
		{"the first, without a predecessor", nil, map[string]time.Time{a: at(1)}, 1, true, 0},
		{"all that was served", []string{a, b}, map[string]time.Time{a: at(1), b: at(2)}, 2, true, 0},
		{"and more", []string{a}, map[string]time.Time{a: at(1), c: at(2)}, 2, true, 0},
		{"one of two", []string{a, b}, map[string]time.Time{a: at(1)}, 1.5, false, 2},
		{"one of two, for a second", []string{a, b}, map[string]time.Time{a: at(1)}, 2, true, 0},
		{"two of three: the later counts", []string{a, b, c}, map[string]time.Time{a: at(1), c: at(1.9)}, 2, false, 2.9},
		{"nine of ten: the latest counts", []string{a}, map[string]time.Time{
			"1": at(1), "2": at(1), "3": at(1), "4": at(1), "5": at(1.9), "6": at(1), "7": at(1), "8": at(1), "9": at(1),
		}, 2, false, 2.9},
		{"only a new one", []string{a}, map[string]time.Time{c: at(1)}, 1, false, 2},
		{"only a new one, for a second", []string{a}, map[string]time.Time{c: at(1)}, 2.5, true, 0},
	} {
		ready, wake := Policy{}.IsReady(c.served, c.accepted, at(c.now))
		var want time.Time
		if c.wake != 0 {
			want = at(c.wake)
		}
		if ready != c.ready || !wake.Equal(want) {
			t.Errorf("%s: %t, wake %v; want %t, wake %v", c.name, ready, wake, c.ready, want)
		}
	}
}
