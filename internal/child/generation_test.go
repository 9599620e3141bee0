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

// A generation that is started again keeps the image of the first open, however often; the one
// that was replaced is kept until the caller releases it.
func TestAgain(t *testing.T) {
	all := Generations[string]{}
	one, two := &Generation[string]{Number: 1, Config: "c"}, &Generation[string]{Number: 2}
	all.Add(one)
	all.Add(two)
	if before := all.Succeed(1, 2); before != one || len(all) != 1 || one.users != 1 {
		t.Fatalf("before is %v with %d users, left %v", before, one.users, all)
	}
	three := one.Again(3)
	all.Add(three)
	five := three.Again(5)
	all.Add(five)
	if three.Number != 3 || three.Config != "c" || one.users != 3 {
		t.Errorf("%+v; the image has %d users", three, one.users)
	}
	one.Release() // of Succeed
	all.Drop(3)
	if one.users != 1 {
		t.Errorf("the image has %d users, want that of generation 5", one.users)
	}
	if all.Drop(5); one.users != 0 {
		t.Errorf("the image has %d users, want none", one.users)
	}
}
