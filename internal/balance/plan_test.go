package balance

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func loads(open ...int) (all []Load) {
	for i, n := range open {
		all = append(all, Load{ID: i, Open: n, Gives: true})
	}
	return all
}

// after returns what the workers have when a plan was carried out.
func after(all []Load, moves []Move) []Load {
	all = slices.Clone(all)
	for _, m := range moves {
		all[m.From].Open -= m.N
		all[m.To].Open += m.N
	}
	return all
}

func TestPlan(t *testing.T) {
	full := loads(0, 100)
	full[1].Gives = false
	for name, test := range map[string]struct {
		loads []Load
		want  []Move
	}{
		"no worker":            {nil, nil},
		"one":                  {loads(100), nil},
		"even":                 {loads(50, 50, 50), nil},
		"a small difference":   {loads(0, 4), nil},
		"a fifth":              {loads(120, 100), nil},
		"more than a fifth":    {loads(122, 100), []Move{{0, 1, 11}}},
		"a new worker":         {loads(400, 0), []Move{{0, 1, 100}}},
		"a few":                {loads(0, 5), []Move{{1, 0, 1}}},
		"two give":             {loads(40, 0, 40), []Move{{0, 1, 10}, {2, 1, 10}}},
		"two get":              {loads(0, 90, 0), []Move{{1, 2, 22}}},
		"who lacks most first": {loads(10, 100, 30), []Move{{1, 0, 25}}},
		"nobody gives":         {full, nil},
		"very many":            {loads(1_000_000, 0), []Move{{0, 1, most}}},
	} {
		if got := Plan(test.loads); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// checkPlan fails unless each worker gives only what it has above the mean, and gets only what it lacks.
func checkPlan(t *testing.T, all []Load, moves []Move) {
	t.Helper()
	sum := 0
	for _, l := range all {
		sum += l.Open
	}
	mean, next := 0, after(all, moves)
	if len(all) > 0 {
		mean = sum / len(all)
	}
	for i, l := range all {
		switch n := next[i].Open; {
		case l.Open > mean && (n < mean || n > l.Open), l.Open <= mean && (n > mean || n < l.Open), !l.Gives && n < l.Open:
			t.Fatalf("worker %d has %d, and %d after the plan; the mean is %d", i, l.Open, n, mean)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte{0, 200}, byte(0))
	f.Add([]byte{7, 0, 255, 3, 3, 90}, byte(3))
	f.Fuzz(func(t *testing.T, open []byte, stuck byte) {
		var all []Load
		for i, n := range open {
			all = append(all, Load{ID: i, Open: int(n) * 10, Gives: i%8 != int(stuck)})
		}
		checkPlan(t, all, Plan(all))
	})
}

// A thousand workers with a million connections are even after a few plans, although a part of
// what was planned doesn't move and clients come and go; then there is nothing to do, and
// no connection has moved back.
func TestPlanSettles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]Load, 1000)
	for i := range all {
		all[i] = Load{ID: i, Gives: true}
	}
	for range 1_000_000 {
		n := int(float64(len(all)) * random.Float64() * random.Float64()) // those with low ids get many
		all[n].Open++
	}
	plans, moved := 0, 0
	for ; !isFair(slices.SortedFunc(slices.Values(all), func(a, b Load) int { return b.Open - a.Open })); plans++ {
		moves := Plan(all)
		checkPlan(t, all, moves)
		for i := range moves {
			moves[i].N -= random.IntN(moves[i].N/2 + 1) // the rest is busy
			moved += moves[i].N
		}
		if all = after(all, moves); plans > 30 {
			t.Fatal("it doesn't settle")
		}
	}
	t.Logf("%d plans, %d of 1,000,000 connections moved", plans, moved)
	if moved > 1_000_000 {
		t.Error("connections have moved to and fro")
	}
	if moves := Plan(all); moves != nil {
		t.Errorf("%d moves more", len(moves))
	}
}
