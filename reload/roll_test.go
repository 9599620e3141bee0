package reload

import (
	"testing"
)

func TestRoll(t *testing.T) {
	runTimelines(t, []timeline{{
		name: "one at a time",
		text: `
			  0s  size 2              | start a1, start b1
			10ms  ready a1            |
			20ms  ready b1            | establish
			  1s  reload              | start a2
			  2s  ready a2            |
			  3s  wake                | disconnect a1, start b2
			  4s  exit a1             | forget a1
			  5s  ready b2            |
			  6s  wake                | disconnect b1, complete
			  7s  exit b1             | forget b1
			 end                      | a2 b2, at rest
`}})
}
