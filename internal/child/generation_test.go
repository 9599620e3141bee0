package child

import "testing"

// A generation is used by its workers and by the set that it is in.
func TestGenerations(t *testing.T) {
	all := Generations[string]{}
	var gs []*Generation[string]
	for n := range 4 {
		g := &Generation[string]{Number: n, Config: "c"}
		all.Add(g)
		gs = append(gs, g)
	}
	gs[1].Use() // a worker
	all.DropBelow(2)
	all.Drop(3)
	all.Drop(3)
	if len(all) != 1 || all[2] != gs[2] {
		t.Errorf("left: %v, want the third", all)
	}
	for n, want := range []int{0, 1, 1, 0} {
		if gs[n].users != want {
			t.Errorf("generation %d has %d users, want %d", n, gs[n].users, want)
		}
	}
	gs[1].Release()
	if gs[1].users != 0 {
		t.Error("the worker still uses it")
	}
}
