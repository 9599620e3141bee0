//go:build linux

package sockets

import (
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
)

// turn returns whose turn it is: the holders of these slots; nil: all. Then it calls f, before the next turn.
func (r *rota) turn(f func(slots []int)) {
	r.t.Helper()
	r.on(func() {
		for _, e := range r.s.byID {
			f(e.spread.rotation.Slots())
		}
	})
}

// While many connections come, they come to as many holders at a time as there are processors, and to all in turn; and when
// nobody looks any more, to all.
func TestConnectionsComeInTurn(t *testing.T) {
	r := newRota(t, 4)
	r.s.processors, r.levels, r.brief = 2, true, true
	addr := r.listen("127.0.0.1:0", bind.Auto, 0, 3)
	had := [4]int{}
	for end, n := time.Now().Add(10*time.Second), 0; n < 40; n++ {
		if time.Now().After(end) {
			t.Fatalf("turns: %v", had)
		}
		r.gets(addr, 100)
		r.turn(func(slots []int) {
			if slots == nil {
				n = 0
				return
			}
			got := r.gets(addr, 20)
			for slot, k := range got {
				if is := slot == slots[0] || slot == slots[1]; is == (k == 0) { // by chance once in a million
					t.Errorf("it is the turn of %v, and the holders have got %v", slots, got)
				}
			}
			had[slots[0]]++
			had[slots[1]]++
		})
	}
	for _, n := range had {
		if n == 0 {
			t.Errorf("turns: %v", had)
		}
	}
	for all, end := false, time.Now().Add(10*time.Second); !all; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("they have their turn although nobody comes")
		}
		r.turn(func(slots []int) {
			if all = slots == nil; !all {
				return
			}
			if got := r.gets(addr, 100); min(got[0], got[1], got[2], got[3]) == 0 {
				t.Errorf("at rest: %v", got)
			}
		})
	}
}
