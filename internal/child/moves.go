package child

import (
	"slices"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/reload"
)

// Moves has the connections of workers that leave move to workers that stay, and what a worker leaves go to
// its successor. All workers of a master are in it. Its methods run on the master's loop.
type Moves struct {
	Lines logline.Worker

	workers ByID[*Patient]
	inSlot  map[int][]*Patient // by slot, in the order of their ids
	givers  map[int][]int      // by id of a worker that takes connections: those that have left them to it
}

// Add adds a worker, with an id above those of all others.
func (v *Moves) Add(p *Patient) {
	if v.inSlot == nil {
		v.inSlot, v.givers = map[int][]*Patient{}, map[int][]int{}
	}
	v.workers.Add(p.ID, p)
	v.inSlot[p.Slot] = append(v.inSlot[p.Slot], p)
}

// Delete takes out a worker that has ended.
func (v *Moves) Delete(p *Patient) {
	v.workers.Delete(p.ID)
	delete(v.givers, p.ID)
	v.inSlot[p.Slot] = slices.DeleteFunc(v.inSlot[p.Slot], func(o *Patient) bool { return o == p })
	if len(v.inSlot[p.Slot]) == 0 {
		delete(v.inSlot, p.Slot)
	}
}

// HandOver lets a worker that leaves move connections to another that stays. Workers that have left to
// this one get that other one, too.
func (v *Moves) HandOver(p *Patient) {
	to := v.Receiver(*p.Member)
	if to == nil {
		return
	}
	for _, id := range append(v.givers[p.ID], p.ID) {
		if from := v.workers.Get(id); from != nil && from.Moves() {
			v.givers[to.ID] = append(v.givers[to.ID], id)
			v.Pair(from, to.Process().TakeOver)
		}
	}
	delete(v.givers, p.ID)
}

// Receiver returns the worker to which connections of m move, or nil. It looks at those of other slots
// only if there is none in its own.
func (v *Moves) Receiver(m reload.Member) *Patient {
	id := reload.Receiver(m, moving(v.inSlot[m.Slot]))
	if id == 0 {
		id = reload.Receiver(m, moving(v.workers.All()))
	}
	return v.workers.Get(id)
}

func moving(patients []*Patient) (all []reload.Member) {
	for _, p := range patients {
		if p.Moves() {
			all = append(all, *p.Member)
		}
	}
	return all
}

// Pair lets connections of a worker move over a pair. send owns the receiver's end of it.
func (v *Moves) Pair(from *Patient, send func(receiver *descriptor.FD)) {
	if err := from.Process().HandOver(send); err != nil {
		v.Lines.CantMove(from.Member, from.pid(), err)
	}
}

// Predecessor returns the worker that m succeeds, or nil.
func (v *Moves) Predecessor(m reload.Member) *Patient {
	var members []reload.Member
	for _, p := range v.inSlot[m.Slot] {
		members = append(members, *p.Member)
	}
	return v.workers.Get(reload.Predecessor(m, members))
}

// FreeSlot returns the lowest slot from first on that no living worker has.
func (v *Moves) FreeSlot(first int) int {
	for slices.ContainsFunc(v.inSlot[first], func(p *Patient) bool { return p.Exited.IsZero() }) {
		first++
	}
	return first
}
