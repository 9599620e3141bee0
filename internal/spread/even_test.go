package spread

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// loads has workers with so many connections; -1: the slot has no worker, less: somebody waits, too.
func loads(open ...int) (all []Load) {
	for i, n := range open {
		switch {
		case n == -1:
			all = append(all, Load{})
		case n < 0:
			all = append(all, Load{Worker: i + 1, Open: -n, Waits: true})
		default:
			all = append(all, Load{Worker: i + 1, Open: n})
		}
	}
	return all
}

func TestFewest(t *testing.T) {
	for _, tt := range []struct {
		name  string
		loads []Load
		want  []int // nil: all
	}{
		{"none", nil, nil},
		{"one", loads(100), nil},
		{"even", loads(50, 50, 51, 52), nil},
		{"few connections", loads(0, 2, 1, 0), nil},
		{"a twentieth of many", loads(1000, 1050, 1020, 1000), nil},
		{"more", loads(1000, 1051, 1040, 1000), []int{0, 3}},
		{"one has too many", loads(50, 50, 60, 50), []int{0, 1, 3}},
		{"one has none: at least half", loads(100, 0, 100, 100), []int{0, 1}},
		{"the same, of five", loads(100, 100, 100, 0, 100), []int{0, 1, 3}},
		{"without a worker", loads(50, -1, 60, 50), []int{0, 3}},
		{"all but one without a worker", loads(-1, -1, 60), nil},
		{"a worker that doesn't accept gets no more", loads(50, -40, 60, 50), []int{0, 3}},
		{"most don't accept: those that do aren't given all", loads(-50, -40, 60, 50), []int{0, 1, 3}},
		{"all are busy", loads(-50, -40, -60, -70), []int{0, 1}},
		{"two", loads(10, 20), []int{0}},
	} {
		if got := Fewest(tt.loads, 0); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// FuzzFewest: none is chosen that has more than another that is not, unless somebody waits there; at least half are.
func FuzzFewest(f *testing.F) {
	f.Add([]byte{10, 0, 200, 10})
	f.Fuzz(func(t *testing.T, b []byte) {
		var all []Load
		able := 0
		for i, n := range b {
			l := Load{Worker: i + 1, Open: int(n) >> 2, Waits: n&3 == 0}
			if n&3 == 1 {
				l = Load{}
			} else {
				able++
			}
			all = append(all, l)
		}
		slots := Fewest(all, 0)
		if slots == nil {
			return
		}
		if 2*len(slots) < able || !slices.IsSorted(slots) {
			t.Fatalf("%v of %+v", slots, all)
		}
		for i, l := range all {
			if slices.Contains(slots, i) {
				if l.Worker == 0 {
					t.Fatalf("%v of %+v: slot %d doesn't accept", slots, all, i)
				}
				continue
			}
			for _, s := range slots {
				if l.Worker != 0 && !l.Waits && l.Open < all[s].Open {
					t.Fatalf("%v of %+v: slot %d has fewer than slot %d", slots, all, i, s)
				}
			}
		}
	})
}

// cluster is a model of workers to which connections come at random among the slots that an Even has chosen.
type cluster struct {
	r      *rand.Rand
	even   Even
	open   []int // by slot
	got    []int // by slot: how many have come
	order  []int // which slot's socket the kernel has at an index
	now    time.Time
	asked  []int // what the workers had when they were asked
	rounds int
	chosen int // rounds in which not all slots got connections
}

func newCluster(seed uint64, n int) *cluster {
	return &cluster{r: rand.New(rand.NewPCG(seed, 1)), open: make([]int, n), got: make([]int, n), order: First(n), now: time.Unix(1e9, 0)}
}

// come has a connection come, and returns its slot.
func (c *cluster) come() int {
	slots := c.even.Slots()
	if slots == nil {
		slots = First(len(c.open))
	}
	slot := c.order[slots[c.r.IntN(len(slots))]]
	c.open[slot]++
	c.got[slot]++
	return slot
}

// tick is a look.
func (c *cluster) tick() {
	c.now = c.now.Add(Tick)
	switch c.even.Step(c.now) {
	case Ask:
		c.asked = slices.Clone(c.open)
	case Decide:
		c.even.Level(c.now, loads(c.asked...))
		if c.rounds++; c.even.Slots() != nil {
			c.chosen++
		}
	}
}

func ratio(of []int) float64 { return float64(slices.Max(of)) / float64(slices.Min(of)) }

// hold has connections come at a rate, for a time, that stay open.
func (c *cluster) hold(rate int, d time.Duration) {
	came := 0
	for end := c.now.Add(d); c.now.Before(end); c.tick() {
		for want := int(float64(rate) * (d - end.Sub(c.now)).Seconds()); came < want; came++ {
			c.come()
		}
	}
}

// Connections that stay open are spread evenly, however fast they come: 400 in five seconds to eight workers,
// which is what was asked for, and others.
func TestEvenHeld(t *testing.T) {
	for _, tt := range []struct{ workers, rate int }{{8, 80}, {8, 1000}, {8, 10000}, {2, 20}, {3, 30}, {64, 1500}} {
		var all []float64
		for seed := range uint64(200) {
			c := newCluster(seed, tt.workers)
			c.hold(tt.rate, 5*time.Second)
			all = append(all, ratio(c.open))
		}
		slices.Sort(all)
		t.Logf("%d workers, %d a second: the median %.2f, of ten the worst %.2f, of all %.2f", tt.workers, tt.rate, all[100], all[180], all[199])
		if all[180] > 1.2 {
			t.Errorf("%d workers, %d a second: one of ten has %.2f between the busiest and the idlest, want at most 1.2", tt.workers, tt.rate, all[180])
		}
	}
}

// Connections of one request, 16 at a time or at a moderate rate, leave the choice to the kernel nearly always, and workers are asked
// about once a second.
func TestEvenLeavesShortConnectionsAlone(t *testing.T) {
	for _, tt := range []struct {
		name    string
		atOnce  int
		perTick int
	}{{"16 at a time", 16, 300}, {"1,500 a second", 1, 30}, {"64 at a time", 64, 300}} {
		c := newCluster(1, 8)
		var open []int
		for range 3000 { // a minute
			for range tt.perTick {
				if len(open) >= tt.atOnce {
					i := c.r.IntN(len(open))
					c.open[open[i]]--
					open[i] = open[len(open)-1]
					open = open[:len(open)-1]
				}
				open = append(open, c.come())
			}
			c.tick()
		}
		t.Logf("%s: %d rounds in a minute, in %d of which slots were chosen", tt.name, c.rounds, c.chosen)
		if c.rounds > 180 || c.chosen > 60 {
			t.Errorf("%s: %d rounds in a minute, in %d of which slots were chosen", tt.name, c.rounds, c.chosen)
		}
	}
}

// Sockets that have another order in the kernel than here would get connections because they have many: that is noticed.
func TestEvenOfAnotherOrder(t *testing.T) {
	c := newCluster(1, 4)
	c.order = []int{1, 0, 3, 2}
	c.open = []int{130, 100, 100, 100}
	c.hold(100, 20*time.Second)
	kept := c.rounds
	c.hold(100, 20*time.Second)
	if c.even.Slots() != nil || c.rounds-kept > 2 || ratio(c.open) > 1.5 {
		t.Errorf("%v, chosen %v, %d rounds in the second half", c.open, c.even.Slots(), c.rounds-kept)
	}
}

// A worker that has just been started gets more than its share, and not all.
func TestEvenWithANewWorker(t *testing.T) {
	c := newCluster(1, 8)
	c.open = []int{0, 500, 500, 500, 500, 500, 500, 500}
	c.hold(100, 5*time.Second)
	if n := c.got[0]; n < 90 || n > 160 {
		t.Errorf("%d of 500, want about a quarter", n)
	}
	c.hold(100, 120*time.Second)
	if r := ratio(c.open); r > 1.2 {
		t.Errorf("%v: %.2f", c.open, r)
	}
}

// Release lets the kernel choose, and Slots tells when that is new.
func TestEvenRelease(t *testing.T) {
	now := time.Unix(1e9, 0)
	var e Even
	if e.Step(now) != Ask || e.Step(now) != Nothing || e.Step(now.Add(Tick)) != Decide {
		t.Error("not asked, and decided a tick later")
	}
	if !e.Level(now, loads(50, 60)) || !slices.Equal(e.Slots(), []int{0}) {
		t.Errorf("Slots is %v, want 0", e.Slots())
	}
	if e.Level(now, loads(50, 60)) {
		t.Error("the same is a change")
	}
	if !e.Release() || e.Slots() != nil || e.Release() {
		t.Error("Release changes nothing, or twice")
	}
	if new(Even).Level(now, loads(50, 50)) != true {
		t.Error("what a master that died has left stays")
	}
}
