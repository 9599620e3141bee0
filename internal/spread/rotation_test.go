package spread

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// queuesOf has a queue a letter: "." one that is empty, "w" one where somebody waits, "-" one without a worker.
func queuesOf(letters string) (all []Queue) {
	for _, l := range letters {
		all = append(all, Queue{Waits: l == 'w', Served: l != '-'})
	}
	return all
}

func TestTurn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		queues  string
		among   []int // nil: all
		last, n int
		want    []int
	}{
		{"none", "", nil, 0, 2, nil},
		{"as many as processors", "..", nil, 0, 2, nil},
		{"fewer", ".", nil, 0, 2, nil},
		{"the first", "....", nil, 3, 2, []int{0, 1}},
		{"the next", "....", nil, 1, 2, []int{2, 3}},
		{"round the end", "...", nil, 1, 2, []int{2, 0}},
		{"without a worker", ".--...", nil, 0, 2, []int{3, 4}},
		{"too few with a worker", ".--.-", nil, 0, 2, nil},
		{"somebody waits", "..w..", nil, 1, 2, []int{3, 4}},
		{"at too many", "ww.w", nil, 0, 2, []int{2, 1}},
		{"at all", "wwww", nil, 2, 2, []int{3, 0}},
		{"of some", "......", []int{1, 3, 4}, 1, 2, []int{3, 4}},
		{"of some, where the last is none of them", "......", []int{1, 3, 4}, 5, 2, []int{1, 3}},
		{"of too few", "......", []int{1, 3}, 1, 2, nil},
		{"a last that is no more", "...", nil, 7, 1, []int{0}},
	} {
		if got := Turn(queuesOf(tt.queues), tt.among, tt.last, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// FuzzTurn: n different slots that have a worker are chosen, or all have their turn.
func FuzzTurn(f *testing.F) {
	f.Add("..w-..", uint64(0b110111), 3, 2)
	f.Fuzz(func(t *testing.T, letters string, some uint64, last, n int) {
		queues := queuesOf(letters[:min(len(letters), 64)])
		last, n = max(0, last), max(1, n&7)
		var among []int
		able := 0
		for i, q := range queues {
			if some>>i&1 == 1 {
				among = append(among, i)
				if q.Served {
					able++
				}
			}
		}
		if among == nil {
			return
		}
		got := Turn(queues, among, min(last, 1<<20), n)
		if able <= n {
			if got != nil {
				t.Errorf("%v of %d", got, able)
			}
			return
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != n {
			t.Errorf("%v, want %d", got, n)
		}
		for _, slot := range got {
			if !queues[slot].Served || !slices.Contains(among, slot) {
				t.Errorf("slot %d is chosen", slot)
			}
		}
	})
}

// All workers have as many turns, also where somebody waits at times.
func TestRotationIsEven(t *testing.T) {
	for _, waits := range []bool{false, true} {
		var r Rotation
		now, turns := time.Now(), make([]int, 8)
		r.until = now.Add(time.Hour)
		for range 4000 {
			queues := queuesOf("........")
			for i := range queues {
				queues[i].Waits = waits && slices.Contains(r.slots, i) && rand.IntN(2) == 0
			}
			if !r.Next(now, queues, nil, 3) {
				t.Fatal("no other slots")
			}
			for _, slot := range r.Slots() {
				turns[slot]++
			}
		}
		if few, most := slices.Min(turns), slices.Max(turns); few < most-most/20 {
			t.Errorf("turns %v", turns)
		}
	}
}

// The rotation begins with many connections, as counted over some time, and goes on for a while without.
func TestRotationTakesMany(t *testing.T) {
	accepted := func(n int) []Load { return []Load{{Worker: 1, Accepted: n}, {Worker: 2, Accepted: n}, {}} }
	now, queues := time.Now(), queuesOf("..")
	for name, tt := range map[string]struct {
		counts [][]Load // one a second
		want   bool
	}{
		"never counted":        {nil, false},
		"once":                 {[][]Load{accepted(1000)}, false},
		"few":                  {[][]Load{accepted(0), accepted(many/2 - 1)}, false},
		"many":                 {[][]Load{accepted(0), accepted(many / 2)}, true},
		"a worker that is new": {[][]Load{{{Worker: 1}}, {{Worker: 1}, {Worker: 2, Accepted: many}}}, false},
		"nobody knows":         {[][]Load{accepted(0), nil, accepted(many)}, false},
		"many, and then none":  {[][]Load{accepted(0), accepted(many), accepted(many)}, true},
	} {
		var r Rotation
		at := now
		for _, loads := range tt.counts {
			at = at.Add(time.Second)
			r.Count(at, loads, 1)
		}
		if r.Next(at, queues, nil, 1); (r.Slots() != nil) != tt.want {
			t.Errorf("%s: slots %v", name, r.Slots())
		}
		if changed := r.Next(at.Add(keeps), queues, nil, 1); r.Slots() != nil || changed != tt.want {
			t.Errorf("%s: slots %v later, changed: %v", name, r.Slots(), changed)
		}
	}
}

func TestRotationStops(t *testing.T) {
	r := Rotation{until: time.Now().Add(time.Hour)}
	if r.Stop() {
		t.Error("stopped before it began")
	}
	r.Next(time.Now(), queuesOf("..."), nil, 1)
	if !r.Stop() || r.Slots() != nil {
		t.Errorf("slots %v", r.Slots())
	}
}

// GOMAXPROCS of the environment is for the workers.
func TestProcessors(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	all := Processors()
	t.Setenv("GOMAXPROCS", "1")
	if n := Processors(); n < 1 || n < all {
		t.Errorf("%d processors, %d without GOMAXPROCS", n, all)
	}
}
