package child

import (
	"slices"
	"testing"
)

func TestByID(t *testing.T) {
	var b ByID[string]
	if b.Delete(1); b.Get(1) != "" || len(b.All()) != 0 {
		t.Error("the zero value is not empty")
	}
	b.Add(1, "a")
	b.Add(4, "d")
	b.Add(9, "i")
	b.Delete(4)
	b.Delete(5)
	b.Add(10, "j")
	if got := b.All(); !slices.Equal(got, []string{"a", "i", "j"}) {
		t.Errorf("all: %q", got)
	}
	for id, want := range map[int]string{0: "", 1: "a", 4: "", 9: "i", 10: "j", 11: ""} {
		if got := b.Get(id); got != want {
			t.Errorf("id %d: %q, want %q", id, got, want)
		}
	}
}
