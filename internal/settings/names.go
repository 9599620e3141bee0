package settings

import (
	"fmt"
	"slices"
	"strings"
)

// Spreads are the names of the values 0, 1, 2 of Spread.
var Spreads = []string{"auto", "shared", "slots"}

// Names are the names of the values 0, 1, 2 … of a field.
type Names []string

// Text returns the name of a value.
func (n Names) Text(value int) string {
	if value < 0 || value >= len(n) {
		return fmt.Sprint(value)
	}
	return n[value]
}

// Value returns the value that has a name.
func (n Names) Value(name string) (value int, ok bool) {
	value = slices.Index(n, name)
	return value, value >= 0
}

// String returns what may be chosen, as a sentence has it.
func (n Names) String() string {
	last := len(n) - 1
	return `"` + strings.Join(n[:last], `", "`) + `" or "` + n[last] + `"`
}
