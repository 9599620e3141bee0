package pace

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTurn(t *testing.T) {
	for _, c := range []struct {
		n      int
		within time.Duration
		i      int
		want   time.Duration
	}{
		{1, time.Second, 0, 0},
		{AtOnce, time.Second, AtOnce - 1, 0},
		{AtOnce + 1, time.Second, AtOnce, slowest},
		{64, time.Second, 63, 48 * slowest},
		{AtOnce + 2500, time.Second, AtOnce, Limit / 2500},
		{10_000, time.Second, 9999, Limit},
		{10_000, time.Second, 20_000, Limit}, // told again, or accepted since
		{64, 24 * time.Millisecond, AtOnce, 500 * time.Microsecond},
		{64, 24 * time.Millisecond, 63, 24 * time.Millisecond},
		{64, 0, 63, 0},
		{64, -time.Second, 63, -time.Second}, // the grace is over
	} {
		var p Pace
		p.Begin(c.n, c.within)
		if got := p.Turn(c.i); got.Round(10*time.Microsecond) != c.want.Round(10*time.Microsecond) {
			t.Errorf("%d conns within %v: the turn of %d is after %v, want %v", c.n, c.within, c.i, got, c.want)
		}
	}
}

// Whoever asks is told when it is somebody's turn, and all are in the end.
func TestDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = AtOnce + 4
		var p Pace
		p.Begin(n, time.Second)
		tell := func() (k int) {
			for ; p.Due() && k < n; k++ {
				p.Told()
			}
			return k
		}
		if k := tell(); k != AtOnce {
			t.Errorf("%d are told at once, want %d", k, AtOnce)
		}
		time.Sleep(3 * slowest)
		if k := tell(); k != 3 {
			t.Errorf("%d are told in three steps", k)
		}
		time.Sleep(Limit)
		if k := tell(); k != n {
			t.Errorf("%d are told when the time is over, want all", k)
		}
	})
}

func TestZero(t *testing.T) {
	var p Pace
	for range 10 * AtOnce {
		if !p.Due() {
			t.Fatal("the zero value makes somebody wait")
		}
		p.Told()
	}
}
