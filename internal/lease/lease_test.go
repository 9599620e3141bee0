package lease

import (
	"fmt"
	"strings"
	"testing"
)

// step is an event, and the leases that are granted after it, as "worker:name".
type step struct {
	do   func(*Leases)
	want string
}

func ask(worker, generation int, call uint32, name string) func(*Leases) {
	return func(l *Leases) { l.Ask(Claim{worker, generation, call, name}) }
}

func over(worker int, call uint32) func(*Leases) { return func(l *Leases) { l.Over(worker, call) } }
func leaves(worker int) func(*Leases)            { return func(l *Leases) { l.Leaves(worker) } }
func gone(worker int) func(*Leases)              { return func(l *Leases) { l.Gone(worker) } }

func granted(l *Leases) string {
	var all []string
	for c, ok := l.Next(); ok; c, ok = l.Next() {
		all = append(all, fmt.Sprintf("%d:%s", c.Worker, c.Name))
	}
	return strings.Join(all, " ")
}

func TestLeases(t *testing.T) {
	for name, steps := range map[string][]step{
		"one after the other": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 1, "a"), ""}, {ask(3, 1, 1, "a"), ""},
			{over(1, 1), "2:a"}, {over(2, 1), "3:a"}, {over(3, 1), ""}, {ask(1, 1, 2, "a"), "1:a"},
		},
		"the process must have ended": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 1, "a"), ""}, {leaves(1), ""}, {gone(1), "2:a"},
		},
		"one that drains gives it up when its work has ended": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 1, "a"), ""}, {leaves(1), ""}, {over(1, 1), "2:a"},
		},
		"one that drains gets none": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 1, "a"), ""}, {leaves(2), ""}, {ask(2, 1, 2, "a"), ""}, {over(1, 1), ""},
		},
		"the newest generation first": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 1, "a"), ""}, {ask(3, 2, 1, "a"), ""}, {ask(4, 2, 1, "a"), ""},
			{over(1, 1), "3:a"}, {gone(3), "4:a"}, {gone(4), "2:a"},
		},
		"names are apart": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(1, 1, 2, "b"), "1:b"}, {ask(2, 1, 1, "b"), ""}, {over(1, 1), ""}, {over(1, 2), "2:b"},
		},
		"twice in one worker": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(1, 1, 2, "a"), ""}, {over(1, 1), "1:a"},
		},
		"given up before it was granted": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 1, "a"), ""}, {over(2, 1), ""}, {over(1, 1), ""},
		},
		"somebody else's call": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 7, "a"), ""}, {over(2, 1), ""}, {over(3, 1), ""}, {over(1, 1), "2:a"},
		},
		"a predecessor's workers": {
			{(*Leases).Block, ""}, {ask(1, 1, 1, "a"), ""}, {(*Leases).Block, ""}, {(*Leases).Unblock, ""}, {(*Leases).Unblock, "1:a"},
		},
		"a successor": {
			{ask(1, 1, 1, "a"), "1:a"}, {ask(2, 1, 1, "a"), ""}, {(*Leases).Retire, ""}, {over(1, 1), ""}, {ask(3, 1, 1, "b"), ""},
		},
	} {
		l := &Leases{}
		for i, s := range steps {
			s.do(l)
			if got := granted(l); got != s.want {
				t.Errorf("%s: after step %d %q got a lease, want %q", name, i+1, got, s.want)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	l := &Leases{}
	for i := range MaxClaims {
		if !l.Ask(Claim{1, 1, uint32(i + 1), fmt.Sprint(i % 3)}) {
			t.Fatalf("claim %d is refused", i)
		}
		granted(l)
	}
	for what, c := range map[string]Claim{
		"one more": {1, 1, 1000, "x"}, "the same call": {1, 1, 1, "x"}, "a long name": {2, 1, 1, strings.Repeat("x", MaxName+1)},
	} {
		if l.Ask(c) {
			t.Errorf("%s was taken", what)
		}
	}
	if !l.Ask(Claim{2, 1, 1, "0"}) {
		t.Error("another worker was refused")
	}
}

// FuzzNeverTwo holds Leases to its two promises, for any order of events: a lease that is
// held is granted to nobody, and one that is free to a claim that waits for it.
func FuzzNeverTwo(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 1, 1, 3, 2, 4, 1, 5, 0, 6, 0})
	f.Add([]byte{5, 0, 0, 9, 0, 17, 6, 0, 2, 9, 3, 9})
	f.Fuzz(func(t *testing.T, events []byte) {
		l, m := &Leases{}, model{holder: map[string]Claim{}, alive: map[string]Claim{}, left: map[int]bool{}}
		for ; len(events) >= 2; events = events[2:] {
			m.event(l, events[0]%7, int(events[1]%4), uint32(events[1]/4%4+1), string('a'+rune(events[1]/16%2)))
			for c, ok := l.Next(); ok; c, ok = l.Next() {
				m.grant(t, c)
			}
			m.check(t)
		}
	})
}

// model says who may have a lease, in the plainest way.
type model struct {
	holder  map[string]Claim // by name
	alive   map[string]Claim // claims that wait, by worker and call
	left    map[int]bool
	blocked int
	retired bool
}

func key(worker int, call uint32) string { return fmt.Sprint(worker, " ", call) }

func (m *model) event(l *Leases, what byte, worker int, call uint32, name string) {
	c := Claim{worker, int(call % 2), call, name}
	switch what {
	case 0:
		if l.Ask(c) {
			m.alive[key(worker, call)] = c
		}
	case 1:
		l.Over(worker, call)
		m.end(func(c Claim) bool { return c.is(worker, call) }, true)
	case 2:
		l.Leaves(worker)
		m.left[worker] = true
		m.end(func(c Claim) bool { return c.Worker == worker }, false)
	case 3:
		l.Gone(worker)
		delete(m.left, worker)
		m.end(func(c Claim) bool { return c.Worker == worker }, true)
	case 4:
		l.Block()
		m.blocked++
	case 5:
		if m.blocked > 0 {
			l.Unblock()
			m.blocked--
		}
	case 6:
		if call == 1 && worker == 3 {
			l.Retire()
			m.retired = true
		}
	}
}

func (m *model) end(is func(Claim) bool, held bool) {
	for k, c := range m.alive {
		if is(c) {
			delete(m.alive, k)
		}
	}
	for name, c := range m.holder {
		if held && is(c) {
			delete(m.holder, name)
		}
	}
}

func (m *model) grant(t *testing.T, c Claim) {
	if now, held := m.holder[c.Name]; held {
		t.Fatalf("%v got the lease of %v", c, now)
	}
	if m.alive[key(c.Worker, c.Call)] != c || m.left[c.Worker] || m.blocked > 0 || m.retired {
		t.Fatalf("%v got a lease: waits %v, has left %v, blocked %d, retired %t", c, m.alive, m.left, m.blocked, m.retired)
	}
	delete(m.alive, key(c.Worker, c.Call))
	m.holder[c.Name] = c
}

func (m *model) check(t *testing.T) {
	for _, c := range m.alive {
		if _, held := m.holder[c.Name]; !held && m.blocked == 0 && !m.retired {
			t.Fatalf("%v waits for a lease that nobody holds", c)
		}
	}
}
