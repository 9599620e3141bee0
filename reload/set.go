package reload

import "math/bits"

// set is a set of places.
type set []uint64

const wordSize = 64

// newSet returns an empty set of numbers from 0 to n-1.
func newSet(n int) set { return make(set, (n+wordSize-1)/wordSize) }

// put says whether n is in the set.
func (s set) put(n int, in bool) {
	bit := uint64(1) << (n % wordSize)
	if in {
		s[n/wordSize] |= bit
	} else {
		s[n/wordSize] &^= bit
	}
}

// all calls yield with the numbers in the set, from the lowest on, until it returns false. yield may
// take out numbers.
func (s set) all(yield func(int) bool) {
	for i := range s {
		for word := s[i]; word != 0; word &= word - 1 {
			if !yield(i*wordSize + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}
