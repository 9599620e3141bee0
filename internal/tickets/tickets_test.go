package tickets

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// loop is the loop, whose timer the test fires.
type loop struct {
	Keys
	due     func()
	changes [][]Key
}

func newLoop() *loop {
	l := &loop{}
	l.After = func(d time.Duration, f func()) func() {
		l.due = f
		return func() { l.due = nil }
	}
	l.Changed = func(keys []Key) { l.changes = append(l.changes, keys) }
	return l
}

// Keys are renewed, and those before are kept for a week.
func TestRenewal(t *testing.T) {
	l := newLoop()
	first := l.All()
	if len(first) != 1 || first[0] == (Key{}) || !slices.Equal(l.All(), first) {
		t.Fatalf("the first keys are %v, want one that stays", first)
	}
	for n := 2; n < 20; n++ {
		before := l.All()
		l.due()
		now := l.All()
		if len(now) != min(n, Kept) || slices.Contains(before, now[0]) || !slices.Equal(now[1:], before[:len(now)-1]) {
			t.Fatalf("renewal %d: %d keys, want a new one before the last ones", n, len(now))
		}
	}
	if len(l.changes) != 18 {
		t.Errorf("%d changes were told, want 18", len(l.changes))
	}
	l.Stop()
	if l.due != nil {
		t.Error("the timer runs on")
	}
}

// A successor continues with the keys of its predecessor, and renews them.
func TestAdopt(t *testing.T) {
	l := newLoop()
	l.Adopt([]Key{{1}, {2}})
	l.Adopt(nil)
	if got := l.All(); !slices.Equal(got, []Key{{1}, {2}}) {
		t.Errorf("the keys are %v", got)
	}
	l.due()
	if got := l.All(); len(got) != 3 || got[1] != (Key{1}) {
		t.Errorf("then the keys are %v", got)
	}
}

// A key is renewed each day also if masters are replaced more often, or if they were away.
func TestRenewalOverUpgrades(t *testing.T) {
	for _, tt := range []struct {
		every time.Duration // a master lasts
		away  time.Duration // nobody does after it
		n     int
		want  int // keys that were made
	}{
		{every: 10 * time.Hour, n: 23, want: 10}, {every: 23 * time.Hour, n: 2, want: 2}, {every: time.Minute, away: 30 * time.Hour, n: 3, want: 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			made, keys := map[Key]bool{}, []Key(nil)
			for range tt.n {
				keys = live(keys, tt.every)
				for _, key := range keys {
					made[key] = true
				}
				time.Sleep(tt.away)
			}
			if len(made) != tt.want {
				t.Errorf("%d masters, each for %v: %d keys, want %d", tt.n, tt.every, len(made), tt.want)
			}
		})
	}
}

// live is a master that adopts keys, and returns those that it leaves after d.
func live(keys []Key, d time.Duration) []Key {
	due := make(chan func(), 1)
	k := &Keys{Changed: func([]Key) {}, After: func(d time.Duration, f func()) func() {
		timer := time.AfterFunc(d, func() { due <- f })
		return func() { timer.Stop() }
	}}
	k.Adopt(keys)
	k.All()
	for end := time.After(d); ; {
		select {
		case f := <-due:
			f()
		case <-end:
			k.Stop()
			return k.All()
		}
	}
}

// Keys that don't say when they were made are as new as their master.
func TestKeysOfUnknownAge(t *testing.T) {
	var future Key
	copy(future[:], renewed(nil)[0][:])
	future[4]++ // by half a year
	for _, key := range []Key{{}, {1}, {255, 255, 255}, future} {
		if got := left(key); got != Every {
			t.Errorf("%v: renewed in %v", key, got)
		}
	}
}

// Keys of the configuration come before all others, and are not renewed.
func TestFixed(t *testing.T) {
	for _, early := range []bool{true, false} {
		l := newLoop()
		if !early {
			l.All()
		}
		l.Set(nil)
		l.Set([]Key{{7}})
		l.Adopt([]Key{{1}})
		if got := l.All(); !slices.Equal(got, []Key{{7}}) || l.due != nil {
			t.Errorf("early=%v: the keys are %v, renewed: %v", early, got, l.due != nil)
		}
	}
}
