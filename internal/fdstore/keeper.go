package fdstore

import (
	"slices"

	"github.com/rota-go/rota/internal/descriptor"
)

// Item is a descriptor that is to be in the store.
type Item struct {
	Name string
	FD   *descriptor.FD // the Keeper's from Keep on
}

// Keeper has the manager keep descriptors. Its owner calls the methods on one goroutine, where
// they don't block, and sets the fields before the first call.
type Keeper struct {
	// Send queues a message to the manager, with fd unless it is nil, and owns fd.
	Send func(fd *descriptor.FD, lines ...string)
	// Sent calls done on the owner's goroutine when all that was queued before is sent.
	Sent func(done func())

	names  []string // in the store, as far as this process knows
	number uint64   // of the latest record
	stamp  any      // of what is in the store
	busy   bool     // the manager has not read all
}

// Names returns what is in the store, for Holds of the next master.
func (k *Keeper) Names() []string { return slices.Clone(k.names) }

// Holds says that the manager keeps these for another master, whose place this one takes. What
// an earlier call has said holds no more, unless Keep was called since.
func (k *Keeper) Holds(names []string) {
	if k.stamp == nil {
		k.names = nil
	}
	k.stamp = nil
	for _, name := range names {
		if IsOurs(name) && !slices.Contains(k.names, name) {
			k.names = append(k.names, name)
		}
	}
	for _, name := range k.names {
		if n, ok := recordNumber(name); ok {
			k.number = max(k.number, n)
		}
	}
}

// Keep brings the store up to date: with the descriptors and the record that what returns,
// and no others. Stamp stands for these, and is comparable: nothing is done if it is the one of the
// last call, nor while the manager has not read what was sent before. Then the owner calls Keep
// again when Sent has called back.
func (k *Keeper) Keep(stamp any, what func() ([]Item, Record)) error {
	if k.busy || k.stamp == stamp {
		return nil
	}
	items, r := what()
	file, err := encode(r)
	k.stamp = stamp
	if err != nil {
		closeItems(items)
		return err
	}
	k.number++
	items = append(items, Item{recordName(k.number), file})
	k.update(items)
	k.busy = true
	k.Sent(func() { k.busy = false })
	return nil
}

func encode(r Record) (*descriptor.FD, error) {
	b, err := r.Encode()
	if err != nil {
		return nil, err
	}
	return write(b)
}

func closeItems(items []Item) {
	for _, i := range items {
		_ = i.FD.Close() // nothing was written to it
	}
}

// update sends what is not in the store, and then has removed what is not among the items. In this
// order there is a whole record at any time, which names what is there. Sockets that are closed go
// first: the manager's descriptor keeps them open.
func (k *Keeper) update(items []Item) {
	keep := func(name string) bool { return has(items, name) }
	k.remove(func(name string) bool { return isSocket(name) && !keep(name) })
	for _, i := range items {
		k.add(i)
	}
	k.remove(func(name string) bool { return !keep(name) })
}

// KeepLeases has the manager keep these pipes of leases, and no others, whatever else it keeps.
func (k *Keeper) KeepLeases(items []Item) {
	for _, i := range items {
		k.add(i)
	}
	k.remove(func(name string) bool { return isLease(name) && !has(items, name) })
}

func has(items []Item, name string) bool {
	return slices.ContainsFunc(items, func(i Item) bool { return i.Name == name })
}

func (k *Keeper) add(i Item) {
	if slices.Contains(k.names, i.Name) {
		_ = i.FD.Close() // nothing was written to it
		return
	}
	k.names = append(k.names, i.Name)
	k.Send(i.FD, "FDSTORE=1", "FDNAME="+i.Name, "FDPOLL=0")
}

func (k *Keeper) remove(obsolete func(name string) bool) {
	k.names = slices.DeleteFunc(k.names, func(name string) bool {
		if !obsolete(name) {
			return false
		}
		k.Send(nil, "FDSTOREREMOVE=1", "FDNAME="+name)
		return true
	})
}

// Empty has all removed, the records first: without one the rest is of no use.
func (k *Keeper) Empty() {
	k.remove(func(name string) bool { _, ok := recordNumber(name); return ok })
	k.remove(func(string) bool { return true })
	k.stamp = nil
}
