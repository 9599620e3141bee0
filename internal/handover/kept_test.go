package handover

import "testing"

// How much is kept is bounded, in number and in bytes.
func TestKeptBounds(t *testing.T) {
	many, large := make([]Handed, maxKept), make([]byte, maxKeptBytes)
	for name, c := range map[string]struct {
		kept  Kept
		state []byte
		want  bool
	}{
		"one":          {Kept{}, []byte("0"), true},
		"one more":     {Kept{all: many[1:]}, []byte("0"), true},
		"one too many": {Kept{all: many}, []byte("0"), false},
		"large":        {Kept{}, large, true},
		"too large":    {Kept{bytes: 1}, large, false},
	} {
		if got := c.kept.Fits(c.state); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	var k Kept
	if !k.Add(Handed{State: large}) || k.Add(Handed{}) || len(k.Take()) != 2 || !k.Fits(large) {
		t.Error("what is taken still counts, or the first isn't the first")
	}
}
