package successor

import (
	"encoding/json"
	"testing"
)

// What a master has left is read with other worker ids, or not at all.
func TestStored(t *testing.T) {
	b, err := json.Marshal(Snapshot{Drained: true, Workers: 3, Scaled: true, Generation: 2, LastID: 7, Served: map[int][]string{0: {"tcp :80"}}, Needed: Times{0: nil}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Stored(b); err != nil || s.Workers != 3 || !s.Scaled || s.Generation != 2 || s.LastID != 7+idBlock || s.Drained || s.Served != nil || s.Needed != nil {
		t.Errorf("%s came as %+v, %v", b, s, err)
	}
	for name, s := range map[string]*Snapshot{
		"nothing":           nil,
		"no generation":     {},
		"a high generation": {Generation: maxNumber + 1},
		"a negative id":     {Generation: 1, LastID: -1},
		"a high id":         {Generation: 1, LastID: maxNumber + 1},
		"no worker":         {Generation: 1, Scaled: true},
		"many workers":      {Generation: 1, Scaled: true, Workers: maxWorkers + 1},
	} {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Stored(b); err == nil {
			t.Errorf("%s: %s was read as %+v", name, b, s)
		}
	}
}

func FuzzStored(f *testing.F) {
	f.Add([]byte(`{"workers":2,"generation":1,"lastID":3,"served":{"0":["tcp :80"]},"needed":{"0":{"tcp :80":5}},"tickets":"AAAA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Stored(b)
		if err == nil && (s.Generation < 1 || s.LastID < idBlock || s.Scaled && s.Workers < 1) {
			t.Errorf("%s was read as %+v", b, s)
		}
	})
}
