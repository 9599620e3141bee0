package spread

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// queues has one for each character: '.' empty, 'w' somebody waits, capital W or '-' (empty):
// nobody serves it.
func queues(s string) (all []Queue) {
	for _, c := range s {
		all = append(all, Queue{Waits: c == 'w' || c == 'W', Served: c == 'w' || c == '.'})
	}
	return all
}

func TestLook(t *testing.T) {
	for _, tt := range []struct {
		name  string
		looks []string
		stuck []int // at the last look
	}{
		{"somebody has just come", []string{"w..."}, nil},
		{"two looks in a row", []string{"w...", "w..."}, []int{0}},
		{"accepted in between", []string{"w...", "....", "w..."}, nil},
		{"nobody serves it", []string{"..W."}, []int{2}},
		{"nobody serves it, and nobody waits", []string{"..-.", "..-."}, nil},
		{"overload", []string{"www.", "www."}, nil},
		{"overload that lasts", []string{"www.", "www.", "www.", "www.", "www."}, []int{0, 1, 2}},
		{"nobody serves it in an overload", []string{"www.", "wwW."}, []int{2}},
		{"more slots", []string{"w.", "w..."}, []int{0}},
		{"fewer slots", []string{"...w", "..", "...w"}, nil},
		{"one slot", []string{"w", "w"}, nil},
	} {
		var w Watch
		var stuck []int
		for _, l := range tt.looks {
			stuck = w.Look(queues(l))
		}
		if !slices.Equal(stuck, tt.stuck) {
			t.Errorf("%s: %v, want %v", tt.name, stuck, tt.stuck)
		}
	}
}

// Those with an empty queue are asked in turn; if there are none, the others.
func TestHelper(t *testing.T) {
	any := func(int) bool { return true }
	var w Watch
	w.Look(queues("w..-"))
	var asked []int
	for range 4 {
		h, ok := w.Helper(0, any)
		if !ok {
			t.Fatal("nobody")
		}
		asked = append(asked, h)
	}
	if want := []int{1, 2, 1, 2}; !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if h, ok := w.Helper(0, func(s int) bool { return s == 2 }); h != 2 || !ok {
		t.Errorf("only 2 can: %d, %v", h, ok)
	}
	if h, ok := w.Helper(0, func(int) bool { return false }); ok {
		t.Errorf("nobody can: %d", h)
	}
	w.Look(queues("ww"))
	if h, ok := w.Helper(0, any); h != 1 || !ok {
		t.Errorf("all have work: %d, %v", h, ok)
	}
	if _, ok := new(Watch).Helper(0, any); ok {
		t.Error("a helper among none")
	}
}

// FuzzWatch: nobody waits at more than overloadAfter looks without being helped, a helper is
// never the slot itself, and serves.
func FuzzWatch(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		var w Watch
		waited := map[int]int{}
		for range 200 {
			all := make([]Queue, 1+r.IntN(8))
			for i := range all {
				all[i] = Queue{Waits: r.IntN(3) > 0, Served: r.IntN(4) > 0}
			}
			stuck := w.Look(all)
			for i, q := range all {
				waited[i]++
				if !q.Waits {
					waited[i] = 0
				}
				isStuck := slices.Contains(stuck, i)
				if isStuck && !q.Waits || !isStuck && q.Waits && !q.Served || !isStuck && waited[i] >= overloadAfter {
					t.Fatalf("slot %d: %+v after %d looks, stuck: %v", i, q, waited[i], isStuck)
				}
				if h, ok := w.Helper(i, func(int) bool { return true }); ok && (h == i || !all[h].Served) {
					t.Fatalf("slot %d is helped by %d", i, h)
				}
			}
			for i := len(all); i < 8; i++ {
				waited[i] = 0
			}
		}
	})
}
