package child

import "slices"

// ByID holds values by ids that rise: a value is added with an id above all that were there. The
// zero value is empty.
type ByID[V any] struct {
	ids    []int
	values []V
}

// Add adds v with an id above those of all others.
func (b *ByID[V]) Add(id int, v V) {
	b.ids, b.values = append(b.ids, id), append(b.values, v)
}

// Get returns the value of id, or the zero value.
func (b *ByID[V]) Get(id int) (v V) {
	if i, ok := slices.BinarySearch(b.ids, id); ok {
		return b.values[i]
	}
	return v
}

// Delete removes the value of id, if there is one.
func (b *ByID[V]) Delete(id int) {
	if i, ok := slices.BinarySearch(b.ids, id); ok {
		b.ids, b.values = slices.Delete(b.ids, i, i+1), slices.Delete(b.values, i, i+1)
	}
}

// All returns the values by their ids. The slice is b's, until the next Add or Delete.
func (b *ByID[V]) All() []V { return b.values }
