//go:build linux

package sockets

import (
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
)

// gets returns how many of n connections each of four holders accepts, from the first on.
func (r *rota) gets(addr string, n int) (all [4]int) {
	r.t.Helper()
	before := r.total()
	count := func(sign int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i := range all {
			all[i] += sign * r.accepted[i+1]
		}
	}
	count(-1)
	r.dial(addr, n)
	r.await(before + n)
	count(1)
	return all
}

// until has connections come until what the holders get of a hundred is as ok wants it, for so long.
func (r *rota) until(addr, what string, during time.Duration, ok func(got [4]int) bool) {
	r.t.Helper()
	since := time.Now()
	for end := since.Add(10 * time.Second); time.Since(since) <= during; {
		if got := r.gets(addr, 100); !ok(got) {
			since = time.Now()
			if since.After(end) {
				r.t.Fatalf("of a hundred connections the holders have got %v, want %s", got, what)
			}
		} else if during == 0 {
			return
		}
	}
}

// New connections come to the slots whose holders have fewer, in every case but those in which the kernel is to choose: to all when
// the numbers are even, when levelling is over, and when somebody has not said what it has.
func TestConnectionsComeToThoseWhoHaveFewer(t *testing.T) {
	r := newRota(t, 4)
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 3)
	set := func(f func()) { r.mu.Lock(); defer r.mu.Unlock(); f() }
	both := func(got [4]int) bool { return got[0] == 0 && got[1] == 0 && got[2] > 20 && got[3] > 20 }
	all := func(got [4]int) bool { return min(got[0], got[1], got[2], got[3]) > 5 }
	many, long := map[int]int{1: 1 << 20, 2: 1 << 20}, 500*time.Millisecond // by holder

	set(func() { r.open = many })
	r.until(addr, "all, as the master doesn't level now", long, all)
	set(func() { r.levels = true })
	r.until(addr, "the last two alone", 0, both)
	set(func() { r.levels = false })
	r.until(addr, "all, as the master doesn't level any more", long, all)
	set(func() { r.levels = true })
	r.until(addr, "the last two alone, again", 0, both)
	set(func() { r.silent = true })
	r.until(addr, "all, as nobody knows what they have", long, all)
	set(func() { r.silent = false })
	r.until(addr, "the last two alone, once more", 0, both)
	set(func() { r.open = nil; clear(r.accepted) })
	r.until(addr, "all, as they have about as many", long, all)
}

// When nobody looks any more, connections come to all slots.
func TestConnectionsComeToAllAtRest(t *testing.T) {
	r := newRota(t, 4)
	r.open, r.levels = map[int]int{1: 1 << 20, 2: 1 << 20}, true
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 3)
	r.until(addr, "the last two alone", 0, func(got [4]int) bool { return got[0]+got[1] == 0 })
	slots := func() (chosen []int) {
		r.on(func() {
			for _, e := range r.s.byID {
				chosen = e.spread.even.Slots()
			}
		})
		return chosen
	}
	for end := time.Now().Add(10 * time.Second); slots() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("slots %v are still chosen", slots())
		}
	}
	if got := r.gets(addr, 20); got[0]+got[1] == 0 { // by chance once in a million
		t.Errorf("%v", got)
	}
}

// Fewer slots, while some are chosen, are those that get connections.
func TestConnectionsComeToTheSlotsThatAreLeft(t *testing.T) {
	r := newRota(t, 4)
	r.open, r.levels = map[int]int{1: 1 << 20, 2: 1 << 20}, true
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 3)
	r.until(addr, "the last two alone", 0, func(got [4]int) bool { return got[0]+got[1] == 0 })
	r.on(func() { r.s.Resize(2) })
	if got := r.gets(addr, 100); got[2]+got[3] > 0 {
		t.Errorf("two slots: %v", got)
	}
}
