package balance

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

func TestGather(t *testing.T) {
	stuck := loads(4, 4, 4, 4)
	stuck[2].Gives = false
	for name, test := range map[string]struct {
		loads []Load
		n     int
		want  []Move
	}{
		"even":               {loads(2, 2, 2, 2), 2, []Move{{2, 1, 2}, {3, 0, 2}}},
		"one":                {loads(2, 3, 2), 1, []Move{{0, 1, 2}, {2, 1, 2}}},
		"one more for some":  {loads(2, 2, 1), 2, []Move{{2, 1, 1}}},
		"who lacks most":     {loads(9, 1, 4, 0), 2, []Move{{1, 2, 1}}},
		"gathered":           {loads(8, 0, 8, 0), 2, nil},
		"gathered, unevenly": {loads(20, 0, 4, 0), 2, []Move{{0, 2, 5}}},
		"few workers":        {loads(0, 100), 2, []Move{{1, 0, 25}}},
		"one doesn't give":   {stuck, 2, []Move{{3, 1, 2}, {3, 0, 2}}},
		"nothing":            {loads(0, 0, 0), 1, nil},
	} {
		if got := Gather(test.loads, test.n); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// All connections are with n workers after one plan, and these are even after a few.
func FuzzGather(f *testing.F) {
	f.Add([]byte{2, 2, 2, 2, 2, 2, 2, 2}, byte(2))
	f.Add([]byte{7, 0, 255, 3, 3, 90}, byte(3))
	f.Fuzz(func(t *testing.T, open []byte, n byte) {
		if n == 0 || len(open) <= int(n) {
			return
		}
		var all []Load
		for i, k := range open {
			all = append(all, Load{ID: i, Open: int(k), Gives: true})
		}
		before := sum(all)
		all = after(all, Gather(all, int(n)))
		few := mostFirst(all)[:n]
		if sum(few) != before || sum(all) != before {
			t.Fatalf("%d of %d connections are with %d workers: %v", sum(few), before, n, all)
		}
		for range 40 {
			all = after(all, Gather(all, int(n)))
		}
		if few = mostFirst(all)[:n]; !isFair(few) {
			t.Fatalf("it is not even: %v", few)
		}
	})
}

// working is what a second of some workers is like: how often each waits, and for how much processor time each time.
type working struct {
	waits int64
	each  time.Duration
}

func TestGathering(t *testing.T) {
	busy, calm := working{2000, 20 * time.Microsecond}, working{20, time.Millisecond}
	for name, test := range map[string]struct {
		workers, open, processors int
		seconds                   []working
		want                      []bool // of the seconds
	}{
		"small requests":                   {4, 4, 2, []working{busy, busy}, []bool{true, true}},
		"few requests":                     {4, 4, 2, []working{calm, {900, 20 * time.Microsecond}}, []bool{false, false}},
		"large requests":                   {4, 4, 2, []working{{2000, 101 * time.Microsecond}}, []bool{false}},
		"no more workers than processors":  {4, 4, 4, []working{busy}, []bool{false}},
		"many connections":                 {4, 33, 2, []working{busy}, []bool{false}},
		"32 connections a worker":          {4, 32, 2, []working{busy}, []bool{true}},
		"they stay while there is less":    {4, 4, 2, []working{busy, {251, 400 * time.Microsecond}, calm, calm, calm, calm, calm}, []bool{true, true, true, true, true, true, false}},
		"they don't stay with less still":  {4, 4, 2, []working{busy, calm, calm, calm, calm, calm}, []bool{true, true, true, true, true, false}},
		"they don't stay with more work":   {4, 4, 2, []working{busy, {2000, 600 * time.Microsecond}, calm, calm, calm, calm}, []bool{true, true, true, true, true, false}},
		"the system says nothing of waits": {4, 4, 2, []working{{0, 0}}, []bool{false}},
	} {
		var g Gathering
		var work wire.Work
		now := time.Unix(1000, 0)
		count := func() bool {
			var all []Load
			for i := range test.workers {
				all = append(all, Load{ID: i, Open: test.open, Work: work})
			}
			return g.Count(now, all, test.processors)
		}
		if count() {
			t.Errorf("%s: they are gathered before anything is known", name)
		}
		for i, s := range test.seconds {
			now = now.Add(time.Second)
			work.Waits, work.Processor = work.Waits+s.waits, work.Processor+s.each*time.Duration(s.waits)
			if got := count(); got != test.want[i] {
				t.Errorf("%s: second %d: %t, want %t", name, i, got, test.want[i])
			}
		}
	}
}

// The waits that come with new connections aren't those of requests on kept ones.
func TestNewConnections(t *testing.T) {
	for accepted, want := range map[int64]bool{0: true, 1333: true, 1334: false, 4000: false} {
		var g Gathering
		before := []Load{{ID: 1, Open: 1}, {ID: 2, Open: 1}}
		after := []Load{{ID: 1, Open: 1, New: accepted, Work: wire.Work{Waits: 6000}}, {ID: 2, Open: 1}}
		g.Count(time.Unix(1000, 0), before, 1)
		if got := g.Count(time.Unix(1001, 0), after, 1); got != want {
			t.Errorf("%d new connections: %t, want %t", accepted, got, want)
		}
	}
}

// With rare counts, one with less doesn't end it.
func TestRareCounts(t *testing.T) {
	for _, every := range []time.Duration{20 * time.Second, time.Hour} {
		var g Gathering
		var work wire.Work
		now, many := time.Unix(1000, 0), int64(2000*every.Seconds())
		for i, want := range []bool{false, true, true, true, false} {
			now, work.Waits = now.Add(every), work.Waits+[]int64{0, many, many / 4, 0, 0}[i]
			if got := g.Count(now, []Load{{ID: 1, Open: 1, Work: work}, {ID: 2, Open: 1}}, 1); got != want {
				t.Errorf("every %v, count %d: %t, want %t", every, i, got, want)
			}
		}
	}
}

// After an hour in which nobody counted, as during a reload that is paused, it ends five seconds after requests have become few.
func TestGatheredOverPause(t *testing.T) {
	for name, first := range map[string]int{"new workers": 3, "the same workers": 1} {
		g := Gathering{counted: time.Unix(1000, 0)}
		g.busySecond(4)
		g.busySecond(4)
		work := wire.Work{Waits: g.loads[1].Work.Waits + 3600*3000}
		for second := range 6 {
			now := g.counted.Add(time.Second)
			if second == 0 {
				now = g.counted.Add(time.Hour)
			}
			if got, want := g.Count(now, []Load{{ID: first, Open: 4, Work: work}, {ID: first + 1}}, 1), second < 5; got != want {
				t.Errorf("%s: %d seconds after the hour: %t, want %t", name, second, got, want)
			}
		}
	}
}

// busySecond is a second of many small requests on so many connections of two workers.
func (g *Gathering) busySecond(open int) bool {
	now, work := g.counted.Add(time.Second), wire.Work{Waits: g.loads[1].Work.Waits + 3000}
	return g.Count(now, []Load{{ID: 1, Open: open, Work: work}, {ID: 2}}, 1)
}

// A few connections more don't end what they don't begin.
func TestMoreConnections(t *testing.T) {
	g := Gathering{counted: time.Unix(1000, 0)}
	for i, s := range []struct {
		open int
		want bool
	}{{64, false}, {65, false}, {64, true}, {65, true}, {128, true}, {129, false}, {65, false}, {64, true}} {
		if got := g.busySecond(s.open); got != s.want {
			t.Errorf("second %d, %d connections: %t, want %t", i, s.open, got, s.want)
		}
	}
}

// After a reload nothing is known of the workers: what was gathered stays so.
func TestGatheredOverReload(t *testing.T) {
	g := Gathering{counted: time.Unix(1000, 0)}
	g.busySecond(4)
	g.busySecond(4)
	next := []Load{{ID: 3, Open: 4}, {ID: 4}}
	if !g.Count(g.counted.Add(10*time.Second), next, 1) {
		t.Error("the connections are not gathered after a reload of ten seconds")
	}
	for range 20 {
		g.Count(g.counted.Add(time.Second), next, 1)
	}
	if g.on {
		t.Error("they are gathered when nothing is asked for any more")
	}
}

// What workers say of themselves may be anything.
func FuzzGathering(f *testing.F) {
	f.Add(int64(5), int64(5), int64(1)<<62, int64(-1)<<62, 3)
	f.Fuzz(func(t *testing.T, a, b, c, d int64, open int) {
		var g Gathering
		for i, w := range []wire.Work{{}, {Processor: time.Duration(a), Waits: b}, {Processor: time.Duration(c), Waits: d}, {}} {
			loads := []Load{{ID: 1, Open: open, Work: w, New: a}, {ID: 2, Work: w, New: d}}
			was := g
			if spent, _ := was.spent(loads); spent.Waits < 0 || spent.Waits > 2<<30 || spent.Processor < 0 || spent.Processor > 2*time.Hour {
				t.Errorf("%+v", spent)
			}
			g.Count(time.Unix(int64(i), 0), loads, 1)
		}
	})
}

// While workers have many small requests, two of them have all connections; then all have as many again.
func TestBalancerGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(2, 2, 2, 2, 2, 2, 2, 2)
		defer p.Stop()
		p.Processors, p.busy = 2, true
		wantOpen(t, p.run(5*time.Second), 8, 8, 0, 0, 0, 0, 0, 0)
		p.workers[3].open = 2 // new ones
		wantOpen(t, p.run(5*time.Second), 9, 9, 0, 0, 0, 0, 0, 0)
		p.Set(time.Second, 1)
		if open := p.run(time.Minute); slices.Max(open)-slices.Min(open) > few {
			t.Errorf("with canaries they are still gathered: %v", open)
		}
		p.Set(time.Second, 0)
		if open := p.run(time.Minute); slices.Min(open) > 0 {
			t.Errorf("without canaries they aren't gathered again: %v", open)
		}
		p.busy = false
		if open := p.run(time.Minute); slices.Max(open)-slices.Min(open) > few {
			t.Errorf("they are still gathered: %v", open)
		}
	})
}
