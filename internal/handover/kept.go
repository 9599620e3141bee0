package handover

import "net"

// Bounds of what is Kept.
const (
	maxKept      = 1024
	maxKeptBytes = 16 << 20 // of states
)

// Handed is a connection that the program of another worker has handed over, and what it says of it.
type Handed struct {
	Conn  net.Conn
	State []byte
}

// Kept are connections with their states that wait for the program. The zero value has none. Its owner
// guards it with a mutex.
type Kept struct {
	all   []Handed
	bytes int // of the states
}

// Fits reports whether one more, with this state, may be kept.
func (k *Kept) Fits(state []byte) bool {
	return len(k.all) < maxKept && k.bytes+len(state) <= maxKeptBytes
}

// Add adds one, also if it doesn't fit, and reports whether it is the first.
func (k *Kept) Add(h Handed) (first bool) {
	k.all = append(k.all, h)
	k.bytes += len(h.State)
	return len(k.all) == 1
}

// Take returns all, which are kept no more.
func (k *Kept) Take() (all []Handed) {
	all, k.all, k.bytes = k.all, nil, 0
	return all
}
