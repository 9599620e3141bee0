package history

import (
	"cmp"
	"maps"
	"slices"

	"github.com/rota-go/rota/status"
)

// Tallies count what happens, so that no count falls. The zero value is ready.
type Tallies struct {
	before map[status.Tally]int64 // by masters before this one; Times of the keys is 0
	own    map[status.Tally]int64
	counts int // calls of Count
}

// Changes returns how often something was counted.
func (t *Tallies) Changes() int { return t.counts }

// Count counts one more.
func (t *Tallies) Count(k status.Kind, slot int, why string) {
	if t.own == nil {
		t.own = map[status.Tally]int64{}
	}
	t.own[status.Tally{Kind: k, Slot: slot, Why: why}]++
	t.counts++
}

// Restore takes what masters before this one have counted by now. It never lowers a count.
func (t *Tallies) Restore(all []status.Tally) {
	if t.before == nil {
		t.before = map[status.Tally]int64{}
	}
	for _, c := range all {
		n := c.Times
		c.Times = 0
		t.before[c] = max(t.before[c], n)
	}
}

// All returns all counts, in a fixed order.
func (t *Tallies) All() (all []status.Tally) {
	sum := maps.Clone(t.before)
	if sum == nil {
		sum = map[status.Tally]int64{}
	}
	for c, n := range t.own {
		sum[c] += n
	}
	for c, n := range sum {
		c.Times = n
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b status.Tally) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Why, b.Why))
	})
	return all
}
