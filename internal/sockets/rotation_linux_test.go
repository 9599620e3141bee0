//go:build linux

package sockets

import (
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
)

// turn calls f, before the next turn, with the holders, of four, that don't stand by.
func (r *rota) turn(f func(holders []int)) {
	r.t.Helper()
	r.on(func() {
		r.mu.Lock()
		var holders []int
		for id := 1; id <= 4; id++ {
			if !r.standby[id] {
				holders = append(holders, id)
			}
		}
		r.mu.Unlock()
		f(holders)
	})
}

// untilTurn has connections come until f, called with those whose turn it is, returns true.
func (r *rota) untilTurn(addr, what string, come int, f func(holders []int) bool) {
	r.t.Helper()
	for end, is := time.Now().Add(10*time.Second), false; !is; {
		if time.Now().After(end) {
			r.t.Fatal(what)
		}
		if r.dial(addr, come); come == 0 {
			time.Sleep(time.Millisecond)
		}
		r.turn(func(holders []int) { is = f(holders) })
	}
}

// While many connections come to a socket with one queue, as many holders as there are processors have their turn at a time, and
// each does; with few, and when nobody looks any more, all have.
func TestHoldersStandBy(t *testing.T) {
	r := newRota(t, 4)
	r.s.Processors, r.levels = 2, true
	addr := r.listen("127.0.0.1:0", bind.Shared, 0, 3)
	had := map[int]bool{}
	r.untilTurn(addr, "not all have had their turn", 100, func(holders []int) bool {
		switch len(holders) {
		case 4:
			return false // not many yet
		case 2:
			had[holders[0]], had[holders[1]] = true, true
		default:
			t.Fatalf("it is the turn of %v, want two", holders)
		}
		return len(had) == 4
	})
	r.untilTurn(addr, "they stand by although nobody comes", 0, func(holders []int) bool { return len(holders) == 4 })
	r.untilTurn(addr, "they don't stand by again", 100, func(holders []int) bool { return len(holders) == 2 })
	for gone := range 2 {
		r.on(func() { r.s.Release(gone + 1) })
	}
	r.untilTurn(addr, "two stand by, of as many as there are processors", 100, func(holders []int) bool {
		return len(holders) == 4 || !r.standby[3] && !r.standby[4]
	})
}

// With no more holders than processors nobody stands by, or is asked what it has.
func TestNobodyStandsBy(t *testing.T) {
	r := newRota(t, 4)
	r.levels = true
	addr := r.listen("127.0.0.1:0", bind.Shared, 0, 3)
	for begin := time.Now(); time.Since(begin) < 500*time.Millisecond; {
		r.dial(addr, 100)
		r.turn(func(holders []int) {
			if len(holders) != 4 {
				t.Fatalf("it is the turn of %v", holders)
			}
		})
	}
	if !r.s.counted.IsZero() {
		t.Error("the holders were asked")
	}
}
