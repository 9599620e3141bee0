package reload

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIsReady(t *testing.T) {
	begin := time.Unix(1e9, 0)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	a, b, c := "tcp :80", "tcp :443", "unix /run/x"
	for _, tc := range []struct {
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
		{"as many, but another", []string{a, b}, map[string]time.Time{a: at(1), c: at(1)}, 1.5, false, 2},
		{"one of two, for a second", []string{a, b}, map[string]time.Time{a: at(1)}, 2, true, 0},
		{"two of three: the later counts", []string{a, b, c}, map[string]time.Time{a: at(1), c: at(1.9)}, 2, false, 2.9},
		{"only a new one", []string{a}, map[string]time.Time{c: at(1)}, 1, false, 2},
		{"only a new one, for a second", []string{a}, map[string]time.Time{c: at(1)}, 2.5, true, 0},
	} {
		var r Readiness
		if tc.served != nil {
			r.Inherit(0, tc.served)
		}
		for range 2 { // only the first Accept counts
			for _, s := range []float64{1, 1.9, 2} {
				for address, when := range tc.accepted {
					if when.Equal(at(s)) {
						r.Accept(7, address, when)
					}
				}
			}
		}
		ready, wake := r.IsReady(7, 0, true, at(tc.now))
		var want time.Time
		if tc.wake != 0 {
			want = at(tc.wake)
		}
		if ready != tc.ready || !wake.Equal(want) {
			t.Errorf("%s: %t, wake %v; want %t, wake %v", tc.name, ready, wake, tc.ready, want)
		}
	}
}

// With whom a new worker is compared. In the texts a2 is worker 2 of slot a; "a2 x
// y" has it accept on x and y, "a2!" be ready, "a2-" gone, "a=x" inherit; "?" asks
// about a further worker of slot a. The
// worker asked about has always just accepted on z, so it is ready if and only if
// nothing or z alone is expected of it.
func TestReadinessCompares(t *testing.T) {
	for _, tc := range []struct {
		name, text  string
		slot        int
		established bool
		ready       bool
	}{
		{"with none", "", 0, true, true},
		{"with the last of the slot", "a1 x, a1!", 0, true, false},
		{"with one that is ready, not one that has only accepted", "a1 x", 0, true, true},
		{"with one that has gone", "a1 x, a1!, a1-", 0, true, false},
		{"with what it accepted on later", "a1!, a1 x", 0, true, false},
		{"with the younger of two", "a1 x, a1!, a2 z, a2!", 0, true, true},
		{"with the older if the younger has gone", "a1 x, a1!, a2 z, a2!, a2-", 0, true, false},
		{"with the last that served of several", "a1 x, a1!, a2 z, a2!, a1-, a2-", 0, true, true},
		{"with the last that served, not one before it", "a1 x, a1!, a1-, a2 z, a2!, a2-", 0, true, true},
		{"not with one of another slot before all are ready", "b1 x, b1!", 0, false, true},
		{"with one of another slot", "b1 x, b1!", 0, true, false},
		{"with one of the lowest other slot", "c1 x, c1!, b2 z, b2!", 0, true, true},
		{"with one of another slot if its own accepts on nothing", "a1!, b1 x, b1!", 0, true, false},
		{"with one of another slot that accepts on anything", "b1!, c2 x, c2!", 0, true, false},
		{"with what was inherited", "a=x", 0, false, false},
		{"with a worker of its own rather than what was inherited", "a=x, a1 z, a1!", 0, false, true},
		{"with one of another slot that has become ready since another was asked about", "b1 x, b1!, ?, b1-, b2 z, b2!", 0, true, true},
	} {
		var r Readiness
		now := time.Unix(1e9, 0)
		playReadiness(t, &r, tc.text, now)
		r.IsReady(9, tc.slot, tc.established, now)
		r.Accept(9, "z", now)
		if ready, _ := r.IsReady(9, tc.slot, tc.established, now); ready != tc.ready {
			t.Errorf("%s: ready %t, want %t", tc.name, ready, tc.ready)
		}
	}
}

func playReadiness(t *testing.T, r *Readiness, text string, now time.Time) {
	t.Helper()
	for what := range strings.SplitSeq(text, ", ") {
		if what == "" {
			continue
		}
		if what == "?" { // a new worker of slot a that is not ready
			r.Accept(8, "q", now)
			r.IsReady(8, 0, true, now)
			continue
		}
		slot := int(what[0] - 'a')
		if served, ok := strings.CutPrefix(what[1:], "="); ok {
			r.Inherit(slot, strings.Fields(served))
			continue
		}
		id := int(what[1] - '0')
		switch rest := what[2:]; rest {
		case "!":
			r.Ready(id, slot)
			r.Ready(id, slot)
		case "-":
			r.Gone(id, slot)
			r.Gone(id, slot)
		default:
			for _, address := range strings.Fields(rest) {
				if !r.Accept(id, address, now) || r.Accept(id, address, now) {
					t.Errorf("%q: not its first Accept, or not only the first", what)
				}
			}
		}
	}
}

// What is passed on to another master is what the slots are served on.
func TestReadinessServed(t *testing.T) {
	var r Readiness
	playReadiness(t, &r, "a1 y x, a1!, b2 x, b2!, b2-, c3 z, d4!", time.Unix(1e9, 0))
	want := map[int][]string{0: {"x", "y"}, 1: {"x"}, 3: nil}
	if diff := cmp.Diff(want, r.Served()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var next Readiness
	for slot, addresses := range r.Served() {
		next.Inherit(slot, addresses)
	}
	if diff := cmp.Diff(want, next.Served()); diff != "" {
		t.Errorf("inherited (-want +got):\n%s", diff)
	}
}

// However often workers are replaced, only the last of a slot is kept.
func TestReadinessForgets(t *testing.T) {
	var r Readiness
	for id := 1; id < 100; id++ {
		r.Accept(id, fmt.Sprint(id), time.Unix(1e9, 0))
		if id%3 != 0 {
			r.Ready(id, 0)
		}
		r.Gone(id-1, 0)
	}
	r.Gone(99, 0)
	if len(r.workers) > 0 || len(r.ready[0]) != 1 {
		t.Errorf("kept are %v, and of the slot %d", maps.Keys(r.workers), len(r.ready[0]))
	}
}

// BenchmarkReadiness is a new worker that accepts on as many addresses as its
// predecessor, one after the other, and is asked about after each.
func BenchmarkReadiness(b *testing.B) {
	var served []string
	for n := range 4000 {
		served = append(served, fmt.Sprint("tcp :", n))
	}
	now := time.Unix(1e9, 0)
	for b.Loop() {
		var r Readiness
		r.Inherit(0, served)
		for _, address := range served {
			r.Accept(1, address, now)
			r.IsReady(1, 0, true, now)
		}
	}
}
