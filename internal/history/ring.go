// Package history remembers what has changed a master's workers: the last changes, who has
// asked for those that haven't ended, and how the last reload ended. It is a value of one
// goroutine, and reads no clock.
package history

// Ring holds the last values that were added. The zero value holds none and has no room.
type Ring[T any] struct {
	all   []T
	size  int
	first int // the index of the oldest, once all is full
}

// NewRing returns a ring with room for size values.
func NewRing[T any](size int) Ring[T] { return Ring[T]{size: size} }

// Add adds a value, in the place of the oldest if there is no room.
func (r *Ring[T]) Add(v T) {
	switch {
	case len(r.all) < r.size:
		r.all = append(r.all, v)
	case r.size > 0:
		r.all[r.first] = v
		r.first = (r.first + 1) % r.size
	}
}

// All returns a copy of the values, the oldest first.
func (r *Ring[T]) All() []T {
	all := make([]T, 0, len(r.all))
	return append(append(all, r.all[r.first:]...), r.all[:r.first]...)
}
