//go:build linux && !race

package e2etest

// RaceDetector says whether the race detector is on. A process with it takes ExitTime
// longer to end.
const (
	RaceDetector = false
	ExitTime     = 0
)
