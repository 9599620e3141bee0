package spread

import (
	"slices"
	"testing"
	"time"
)

func TestTurn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		workers []int
		last, n int
		want    []int
	}{
		{"none", nil, 0, 2, nil},
		{"fewer than processors", []int{3}, 0, 2, nil},
		{"as many", []int{3, 5}, 3, 2, nil},
		{"the first", []int{3, 5, 8}, 0, 2, []int{3, 5}},
		{"the next", []int{3, 5, 8, 9}, 5, 2, []int{8, 9}},
		{"round the end", []int{3, 5, 8}, 5, 2, []int{8, 3}},
		{"again from the first", []int{3, 5, 8}, 8, 2, []int{3, 5}},
		{"the last has gone", []int{3, 5, 8}, 4, 1, []int{5}},
		{"all others are new", []int{13, 15, 18}, 9, 2, []int{13, 15}},
	} {
		if got := Turn(tt.workers, tt.last, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// FuzzRotation: whichever workers there are, and whenever connections are many, those that stand by are all but n or none, and
// each order is for one that doesn't obey it already.
func FuzzRotation(f *testing.F) {
	f.Add([]byte{0xff, 0x0f, 0xf0, 0x01, 0xff}, 2)
	f.Fuzz(func(t *testing.T, steps []byte, n int) {
		n = max(1, n&3)
		var r Rotation
		now, standby := time.Now(), map[int]bool{}
		for i, b := range steps {
			now = now.Add(Tick)
			if b&1 == 1 {
				r.until = now.Add(time.Duration(b) * time.Millisecond)
			}
			var workers []int
			for k := range 7 {
				if b>>(k+1)&1 == 1 {
					workers = append(workers, i/4+k)
				} else {
					delete(standby, i/4+k)
				}
			}
			on, off := r.Next(now, workers, n)
			for _, id := range on {
				if !standby[id] {
					t.Fatalf("step %d: %d has its turn already", i, id)
				}
				delete(standby, id)
			}
			for _, id := range off {
				if standby[id] {
					t.Fatalf("step %d: %d stands by already", i, id)
				}
				standby[id] = true
			}
			all := 0
			for _, id := range workers {
				if standby[id] {
					all++
				}
			}
			if want := len(workers) - n; all != 0 && all != want || (all > 0) != r.Goes() {
				t.Fatalf("step %d: %d of %d stand by, want none or %d", i, all, len(workers), want)
			}
		}
	})
}

// All workers have as many turns.
func TestRotationIsEven(t *testing.T) {
	r, now := Rotation{until: time.Now().Add(time.Hour)}, time.Now()
	workers, standby, turns := []int{1, 2, 3, 4, 5, 6, 7, 8}, map[int]bool{}, map[int]int{}
	for range 800 {
		on, off := r.Next(now, workers, 3)
		for _, id := range on {
			delete(standby, id)
		}
		for _, id := range off {
			standby[id] = true
		}
		for _, id := range workers {
			if !standby[id] {
				turns[id]++
			}
		}
	}
	for _, id := range workers {
		if turns[id] != 300 {
			t.Errorf("turns of 800: %v", turns)
		}
	}
}

// The rotation begins with many connections, as counted over some time, and goes on for as long as they would have been many, but not
// for long.
func TestRotationTakesMany(t *testing.T) {
	accepted := func(n int) map[int]int { return map[int]int{1: n, 2: n} }
	now, workers := time.Now(), []int{1, 2}
	for name, tt := range map[string]struct {
		counts []map[int]int // one a second
		want   time.Duration // for how long it goes on
	}{
		"never counted":        {nil, 0},
		"once":                 {[]map[int]int{accepted(1000)}, 0},
		"few":                  {[]map[int]int{accepted(0), accepted(many/2 - 1)}, 0},
		"many":                 {[]map[int]int{accepted(0), accepted(many / 2)}, time.Second},
		"three times as many":  {[]map[int]int{accepted(0), accepted(3 * many / 2)}, 3 * time.Second},
		"very many":            {[]map[int]int{accepted(0), accepted(100 * many)}, keeps},
		"more than a Duration": {[]map[int]int{accepted(0), accepted(3 << 33)}, keeps}, // in ns: negative
		"a worker that is new": {[]map[int]int{{1: 0}, {1: 0, 2: many}}, 0},
		"nobody knows":         {[]map[int]int{accepted(0), nil, accepted(many)}, 0},
		"many, and then none":  {[]map[int]int{accepted(0), accepted(2 * many), accepted(2 * many)}, 3 * time.Second},
		"a count that falls":   {[]map[int]int{accepted(many), accepted(0)}, 0},
	} {
		var r Rotation
		at := now
		for _, n := range tt.counts {
			at = at.Add(time.Second)
			r.Count(at, n, 1)
		}
		for d := time.Duration(0); d < 2*keeps; d += time.Second / 2 {
			if r.Next(at.Add(d), workers, 1); r.Goes() != (d < tt.want) {
				t.Errorf("%s: %v later: %v", name, d, r.Goes())
			}
		}
	}
}

// The workers are asked soon again when they were asked for the first time, and then once a second.
func TestRotationAsks(t *testing.T) {
	var r Rotation
	now, began := time.Now(), time.Time{}
	var asked []time.Duration
	for began = now; now.Sub(began) < 3*time.Second; now = now.Add(Tick) {
		switch r.Step(now) {
		case Ask:
			asked = append(asked, now.Sub(began))
		case Decide:
			r.Count(now, map[int]int{1: 1}, 1)
		}
	}
	if want := []time.Duration{0, quick + Tick, quick + slow + 2*Tick, quick + 2*slow + 3*Tick}; !slices.Equal(asked, want) {
		t.Errorf("asked after %v, want %v", asked, want)
	}
}

func TestRotationStops(t *testing.T) {
	r := Rotation{until: time.Now().Add(time.Hour)}
	if on := r.Stop(); on != nil {
		t.Errorf("before it began: %v", on)
	}
	r.Next(time.Now(), []int{1, 2, 3}, 1)
	if on := r.Stop(); !slices.Equal(on, []int{2, 3}) || r.Goes() {
		t.Errorf("%v, goes: %v", on, r.Goes())
	}
}

// A standby is longer than it takes until all have had their turn.
func TestStandByFor(t *testing.T) {
	for workers := 2; workers < 2000; workers *= 3 {
		if d := StandByFor(workers, 1); d < time.Second || d < 2*Tick*time.Duration(workers) {
			t.Errorf("%d workers: %v", workers, d)
		}
	}
}
