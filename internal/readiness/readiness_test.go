package readiness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-go/rota/reload"
)

func at(seconds float64) time.Time {
	return time.Unix(1e9, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// One new worker of slot 0 that was started at 0 s, and is asked about.
func newcomer(id int) *reload.Member { return &reload.Member{ID: id, Started: at(0)} }

// What the new worker does, in the order of its addresses. x, y and z were served by its
// predecessor, which needed no time, 5 s and 90 s for them. In the texts "x2.5" is the first
// Accept on x after 2.5 s, "?x2" only the Listen, "-x3" its Close.
func TestIsReady(t *testing.T) {
	needed := map[string]time.Duration{"x": 0, "y": 5 * time.Second, "z": 90 * time.Second}
	never := 0.0
	for _, tc := range []struct {
		name, served, text string
		now                float64
		ready              bool
		wake               float64
	}{
		{"nothing yet", "x", "", 9, false, never},
		{"nothing yet, and no predecessor", "", "", 9, false, never},
		{"only a socket", "", "?x1", 9, false, never},
		{"the first, without a predecessor", "", "x1", 1, true, never},
		{"all that was served", "x y", "x1 y2", 2, true, never},
		{"and more", "x", "x1 q2", 2, true, never},
		{"one of two, at once", "x y", "y1", 1.5, false, 2},
		{"as many, but another", "x y", "y1 q1", 1.5, false, 2},
		{"one of two, for a second", "x y", "y1", 2, true, never},
		{"two of three: the later counts", "x y w", "y1 w1.9", 2, false, 2.9},
		{"only a new one", "x", "q1", 1, false, 2},
		{"only a new one, for a second", "x", "q1", 2.5, true, never},
		{"one that needed 5 s is waited for", "x y", "x0.1", 14.9, false, 15},
		{"and comes", "x y", "x0.1 y7", 7, true, never},
		{"and is given up after 15 s", "x y", "x0.1", 15, true, never},
		{"but never, if the worker has its socket", "x y", "x0.1 ?y4", 50, false, never},
		{"unless the worker has closed that", "x y", "x0.1 ?y4 -y6", 6, true, never},
		{"and opened it again", "x y", "x0.1 ?y4 -y6 ?y7", 50, false, never},
		{"closed after an Accept", "x y", "x0.1 y4 -y6", 6, true, never},
		{"one that needed longer than a worker may take", "x z", "x0.1", 59.9, false, never},
		{"closing what nobody has", "x y", "x0.1 -y4", 14.9, false, 15},
	} {
		var r Record
		if tc.served != "" {
			r.Inherit(0, strings.Fields(tc.served), needed)
		}
		m := newcomer(7)
		for what := range strings.FieldsSeq(tc.text) {
			r.play(t, m, what)
		}
		ready, wake := r.IsReady(m, reload.Policy{}, true, at(tc.now))
		want := at(tc.wake)
		if tc.wake == never {
			want = time.Time{}
		}
		if ready != tc.ready || !wake.Equal(want) {
			t.Errorf("%s: %t, wake %v; want %t, wake %v", tc.name, ready, wake, tc.ready, want)
		}
	}
}

// play plays one word of a text.
func (r *Record) play(t *testing.T, m *reload.Member, what string) {
	t.Helper()
	verb := strings.Trim(what, "0123456789.qwxyz")
	address := what[len(verb) : len(verb)+1]
	var when float64
	fmt.Sscan(what[len(verb)+1:], &when)
	switch verb {
	case "?":
		r.Ask(m, address)
	case "-":
		r.Closed(m, address, at(when))
	default:
		if !r.Accept(m, address, at(when)) || r.Accept(m, address, at(when+1)) { // only the first counts
			t.Errorf("%q: not its first Accept, or not only the first", what)
		}
	}
}

// For how long an address is waited for that the predecessor needed so long for, counted
// from the start of the new worker. Zero means as long as it may take.
func TestPatience(t *testing.T) {
	const none = -1
	for _, tc := range []struct {
		needed, limit float64
		alone         bool
		want          float64
	}{
		{0, 60, false, 1},
		{0.02, 60, false, 1},
		{5, 60, false, 15},
		{15, 60, false, 37.5}, // longer than the predecessor needed, but before the worker is overdue
		{59, 60, false, 59.5},
		{60, 60, false, 0},
		{600, 60, false, 0},
		{600, 60, true, 60}, // nothing is lost by giving it up
		{600, none, false, 1800},
		{0.01, 2, false, 1},
		{1.8, 2, false, 1.9},
	} {
		second := float64(time.Second)
		p := patience{limit: time.Duration(tc.limit * second), alone: tc.alone}
		if tc.limit == none {
			p.limit = reload.NoLimit
		}
		d, ok := p.bound(time.Duration(tc.needed * second))
		if ok != (tc.want > 0) || ok && d != time.Duration(tc.want*second) {
			t.Errorf("%+v: %v, %t", tc, d, ok)
		}
	}
}

// A program that opens an address when its predecessor has left: the time that it waits for
// that doesn't make the next worker wait for longer.
func TestPatienceDoesNotGrow(t *testing.T) {
	var r Record
	now, took := at(0), []time.Duration{}
	first := &reload.Member{ID: 1, Started: now}
	r.Accept(first, "x", now)
	r.Accept(first, "y", now)
	r.Ready(first)
	for id := 2; id < 9; id++ {
		m := &reload.Member{ID: id, Started: now}
		r.Accept(m, "x", now)
		for ready, wake := r.IsReady(m, reload.Policy{}, true, now); !ready; ready, wake = r.IsReady(m, reload.Policy{}, true, now) {
			if now = wake; now.IsZero() {
				t.Fatalf("worker %d is never ready; those before it were after %v", id, took)
			}
		}
		took = append(took, now.Sub(m.Started))
		r.Ready(m)
		now = now.Add(5 * time.Second)
		r.Gone(&reload.Member{ID: id - 1}, now)
		r.Accept(m, "y", now)
	}
	if took[len(took)-1] > time.Second {
		t.Errorf("workers without y were ready after %v", took)
	}
}

// A port that a worker has opened and closed while it served is not asked of the next; what
// it closes when it ends is.
func TestClosedAddresses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		closed float64
		open   bool
		want   []string
	}{
		{"while it served", 5, false, []string{"x"}},
		{"and opened again", 5, true, []string{"x", "y"}},
		{"when it ended", 9.5, false, []string{"x", "y"}},
	} {
		var r Record
		m := newcomer(1)
		r.Accept(m, "x", at(0))
		r.Accept(m, "y", at(1))
		r.Ready(m)
		r.Closed(m, "y", at(tc.closed))
		if tc.open {
			r.Ask(m, "y")
		}
		r.Gone(m, at(10))
		if got := r.Served()[0]; !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// A worker that opens and closes port after port doesn't fill the master's memory, and
// neither does one that is never ready.
func TestClosedAddressesAreForgotten(t *testing.T) {
	for _, ready := range []bool{true, false} {
		var r Record
		r.Inherit(0, []string{"x", "17"}, map[string]time.Duration{"17": time.Hour})
		m := newcomer(1)
		r.Accept(m, "x", at(0))
		if ready {
			r.Ready(m)
		}
		for n := range 100 {
			r.Accept(m, fmt.Sprint(n), at(float64(n)))
			r.Closed(m, fmt.Sprint(n), at(float64(n)))
		}
		if got := len(r.workers[1].uses); got > 3 {
			t.Errorf("ready %t: %d addresses are kept", ready, got)
		}
		if ok, _ := r.IsReady(m, reload.Policy{}, true, at(100)); !ok {
			t.Errorf("ready %t: what it has closed is forgotten, and awaited", ready)
		}
	}
}

func TestMissing(t *testing.T) {
	var r Record
	m := newcomer(1)
	if got := r.Missing(m, true); got != nil {
		t.Errorf("without a predecessor: %v", got)
	}
	r.Inherit(0, []string{"z", "x", "y"}, nil)
	r.Accept(m, "y", at(0))
	r.Ask(m, "z")
	if got := r.Missing(m, true); !slices.Equal(got, []string{"x", "z"}) {
		t.Errorf("missing %v", got)
	}
}

// In a slot that nobody serves an address is given up when a worker would be overdue: nobody
// leaves for it.
func TestAloneInASlot(t *testing.T) {
	for _, gone := range []bool{true, false} {
		var r Record
		old := newcomer(1)
		r.Accept(old, "x", at(0))
		r.Accept(old, "y", at(100))
		r.Ready(old)
		if gone {
			r.Gone(old, at(200))
		}
		m := newcomer(2)
		r.Accept(m, "x", at(0))
		for now, want := range map[float64]bool{59.9: false, 60: gone} {
			if ready, _ := r.IsReady(m, reload.Policy{}, true, at(now)); ready != want {
				t.Errorf("gone %t, after %v s: ready %t", gone, now, ready)
			}
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
		var r Record
		now := time.Unix(1e9, 0)
		playReadiness(t, &r, tc.text, now)
		m := &reload.Member{ID: 9, Slot: tc.slot, Started: now}
		r.IsReady(m, reload.Policy{}, tc.established, now)
		r.Accept(m, "z", now)
		if ready, _ := r.IsReady(m, reload.Policy{}, tc.established, now); ready != tc.ready {
			t.Errorf("%s: ready %t, want %t", tc.name, ready, tc.ready)
		}
	}
}

func playReadiness(t *testing.T, r *Record, text string, now time.Time) {
	t.Helper()
	for what := range strings.SplitSeq(text, ", ") {
		if what == "" {
			continue
		}
		if what == "?" { // a new worker of slot a that is not ready
			m := &reload.Member{ID: 8, Started: now}
			r.Accept(m, "q", now)
			r.IsReady(m, reload.Policy{}, true, now)
			continue
		}
		slot := int(what[0] - 'a')
		if served, ok := strings.CutPrefix(what[1:], "="); ok {
			r.Inherit(slot, strings.Fields(served), nil)
			continue
		}
		m := &reload.Member{ID: int(what[1] - '0'), Slot: slot, Started: now}
		switch rest := what[2:]; rest {
		case "!":
			r.Ready(m)
			r.Ready(m)
		case "-":
			r.Gone(m, now)
			r.Gone(m, now)
		default:
			for _, address := range strings.Fields(rest) {
				if !r.Accept(m, address, now) || r.Accept(m, address, now) {
					t.Errorf("%q: not its first Accept, or not only the first", what)
				}
			}
		}
	}
}

// What is passed on to another master is what the slots are served on.
func TestReadinessServed(t *testing.T) {
	var r Record
	playReadiness(t, &r, "a1 y x, a1!, b2 x, b2!, b2-, c3 z, d4!", time.Unix(1e9, 0))
	want := map[int][]string{0: {"x", "y"}, 1: {"x"}, 3: nil}
	needed := r.Needed()
	if diff := cmp.Diff(want, r.Served()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var next Record
	for slot, addresses := range r.Served() {
		next.Inherit(slot, addresses, needed[slot])
	}
	if diff := cmp.Diff(needed, next.Needed()); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, next.Served()); diff != "" {
		t.Errorf("inherited (-want +got):\n%s", diff)
	}
}

// However often workers are replaced, only the last of a slot is kept.
func TestReadinessForgets(t *testing.T) {
	var r Record
	for id := 1; id < 100; id++ {
		r.Accept(newcomer(id), fmt.Sprint(id), at(1))
		if id%3 != 0 {
			r.Ready(newcomer(id))
		}
		r.Gone(newcomer(id-1), at(1))
	}
	r.Gone(newcomer(99), at(1))
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
		var r Record
		r.Inherit(0, served, nil)
		m := &reload.Member{ID: 1, Started: now}
		for _, address := range served {
			r.Accept(m, address, now)
			r.IsReady(m, reload.Policy{}, true, now)
		}
	}
}
